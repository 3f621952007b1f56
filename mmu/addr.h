/* mmu/addr.h - one type per address space, so that mixing them does not compile.
 *
 *   gva  guest-virtual (linear) address        gfn  guest frame number  (gpa >> 12)
 *   gpa  guest-physical address                hfn  host frame number   (hpa >> 12)
 *   hpa  host-physical address */
#ifndef VELLUM_MMU_ADDR_H
#define VELLUM_MMU_ADDR_H

#include "lib/base.h"

typedef struct { uint64_t v; } gva_t;
typedef struct { uint64_t v; } gpa_t;
typedef struct { uint64_t v; } hpa_t;
typedef struct { uint64_t v; } gfn_t;
typedef struct { uint64_t v; } hfn_t;

#define GVA(x) ((gva_t){ (x) })
#define GPA(x) ((gpa_t){ (x) })
#define HPA(x) ((hpa_t){ (x) })
#define GFN(x) ((gfn_t){ (x) })
#define HFN(x) ((hfn_t){ (x) })

/* No frame: what an allocation that failed returns. */
#define HFN_NONE HFN(~0ull)

static inline bool hfn_is_none(hfn_t f) { return f.v == ~0ull; }
static inline gfn_t gpa_gfn(gpa_t a) { return GFN(a.v >> PAGE_SHIFT); }
static inline hfn_t hpa_hfn(hpa_t a) { return HFN(a.v >> PAGE_SHIFT); }
static inline gpa_t gfn_gpa(gfn_t f) { return GPA(f.v << PAGE_SHIFT); }
static inline hpa_t hfn_hpa(hfn_t f) { return HPA(f.v << PAGE_SHIFT); }
static inline gpa_t gpa_add(gpa_t a, uint64_t n) { return GPA(a.v + n); }

#endif
