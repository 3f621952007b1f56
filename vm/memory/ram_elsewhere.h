/* vm/memory/ram_elsewhere.h - pages of RAM that are in another container of the same guest yet, which it has left
 * (vm/live/live.h): they come when they are wanted, by whatever access, or are brought meanwhile.
 *
 *   EL1  What may be in the other RAM is said to be elsewhere before the guest is here, and until it has come: it is
 *        in no frame, and not nothing either.
 *   EL2  Nobody changes the other RAM any more: its guest has left, nothing of it goes out or comes back, and nothing
 *        of it is merged.
 *   EL3  One at a time fetches, with .coming.lock, and looks again whether the page is elsewhere: it comes once. What
 *        another container must not have twice, a shared frame and a place in the area, changes hands in that hold.
 *   EL4  A page is copied to a frame of this container's, and its old one is free; a block in one piece is free when
 *        all of it has come. Where there is no frame for a copy the page keeps the one that it has, and what has come
 *        of its block is free. So whoever is moved takes no more memory than it had, but for the words of its pages,
 *        which others need not (RA4), and 2 MBytes. */
#ifndef VELLUM_VM_MEMORY_RAM_ELSEWHERE_H
#define VELLUM_VM_MEMORY_RAM_ELSEWHERE_H

#include "vm/memory/ram_out.h"

/* The other RAM has the same place. Where it has anything now of a block of r, that is elsewhere from now on: of up to
 * `blocks` blocks, from number *at on, of which r's guest has nothing yet; *at: the next. What the making of the
 * container has left in them is given back. While nothing of r is mapped, and with no lock held. false: there is no
 * memory to tell of their pages. */
bool ram_expect(struct ram *r, const struct ram *from, uint64_t *at, unsigned blocks);
/* The other RAM may be looked at from now on, while its guest stands: it stays as it is. */
void ram_expect_from(struct ram *r, struct ram *from);
/* Its guest has left it for r (EL2). */
void ram_expect_left(struct ram *r);

/* gfn, which is said to be elsewhere, comes. pushed: it is brought, and nobody waits for it. RAM_BACK: it has come, or
 * is in the area, or is nothing; RAM_SHORT: there is no frame at all for it. With any lock held but the leaves. */
enum ram_back ram_fetch(struct ram *r, gfn_t gfn, bool pushed);
/* Brings up to so many pages, and looks at so many; gives back what the other RAM need not have any more. true: all
 * has come. With no lock held. */
bool ram_fetch_some(struct ram *r, unsigned looks, unsigned pages);
/* gfn, if it is elsewhere, is nothing from now on. */
void ram_forget_elsewhere(struct ram *r, gfn_t gfn);

#endif
