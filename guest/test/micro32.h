/* guest/test/micro32.h - where the other processors of micro32 begin; for C and for assembly. */
#define MICRO_AT 0x1000 /* gpa: where their first instructions are copied, before anything of the loader's is read */
