/* guest/test/cost/fresh.h - where the other processors of fresh begin; for C and for assembly. */
#define FRESH_AT 0x8000 /* gpa, below 1 MByte: where their first instructions are copied */
#define FRESH_PAGE 4096
