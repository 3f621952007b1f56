/* guest/test/irql/irql-kinds.h - what a way to access the TPR can do; for C and for assembly. */
#define WAY_MMIO 1
#define WAY_CR8 2
#define WAY_MSR 4
#define WAY_ALIAS 8 /* by TPR_ALIAS, which is mapped only with paging */
#define WAY_FIXED 0x10 /* at TPR_USUAL, wherever the page is */
#define WAY_ALONE 0x20 /* not while it is itself under way */
/* Writes of values that depend on the old one, or not of all values. */
#define WAY_VALUE 0xf00
#define WAY_ANY 0x000
#define WAY_CLASS 0x100 /* bits 3:0 are 0 */
#define WAY_AND 0x200
#define WAY_OR 0x300
#define WAY_INC 0x400
#define WAY_DEC 0x500
#define WAY_NOT 0x600
#define WAY_NEG 0x700
#define WAY_SHL 0x800
#define WAY_SHR 0x900
