/* emulate/condition.c - the sixteen conditions of Jcc, SETcc and CMOVcc. SDM: "EFLAGS Condition Codes". */
#include "emulate/internal.h"

bool condition(uint64_t rflags, unsigned code)
{
	bool less = !(rflags & RFLAGS_SF) != !(rflags & RFLAGS_OF);
	bool holds = false;

	switch (code >> 1) {
	case 0:
		holds = rflags & RFLAGS_OF;
		break;
	case 1:
		holds = rflags & RFLAGS_CF;
		break;
	case 2:
		holds = rflags & RFLAGS_ZF;
		break;
	case 3:
		holds = rflags & (RFLAGS_CF | RFLAGS_ZF);
		break;
	case 4:
		holds = rflags & RFLAGS_SF;
		break;
	case 5:
		holds = rflags & RFLAGS_PF;
		break;
	case 6:
		holds = less;
		break;
	case 7:
		holds = less || (rflags & RFLAGS_ZF);
		break;
	}
	return holds != (code & 1);
}
