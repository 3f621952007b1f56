/* emulate/condition.c - the sixteen conditions of Jcc, SETcc and CMOVcc. SDM: "EFLAGS Condition Codes". */
#include "emulate/internal.h"

bool condition(uint64_t rflags, unsigned code)
{
	bool less = !(rflags & FLAG_SF) != !(rflags & FLAG_OF);
	bool holds = false;

	switch (code >> 1) {
	case 0:
		holds = rflags & FLAG_OF;
		break;
	case 1:
		holds = rflags & FLAG_CF;
		break;
	case 2:
		holds = rflags & FLAG_ZF;
		break;
	case 3:
		holds = rflags & (FLAG_CF | FLAG_ZF);
		break;
	case 4:
		holds = rflags & FLAG_SF;
		break;
	case 5:
		holds = rflags & FLAG_PF;
		break;
	case 6:
		holds = less;
		break;
	case 7:
		holds = less || (rflags & FLAG_ZF);
		break;
	}
	return holds != (code & 1);
}
