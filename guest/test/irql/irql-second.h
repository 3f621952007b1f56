/* guest/test/irql/irql-second.h - the second CPU's beginning; for C and for assembly. */
#define SECOND_AT 0x8000 /* gpa, below 1 MByte: where its first instructions are copied */
#define SECOND_KIND 9    /* bits 3:0 of the vectors that it is sent */
