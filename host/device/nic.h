/* host/device/nic.h - the machine's network card, as the way out of it: around the driver (host/device/e1000.h).
 *
 * EC1  Frames are sent with the card's lock held, a leaf. They are received on the boot CPU alone, in its interrupt,
 *      with no lock held, a ring of them at a time; the guest that was interrupted goes on between. */
#ifndef VELLUM_HOST_NIC_H
#define VELLUM_HOST_NIC_H

#include "lib/base.h"

/* Finds the card and begins. NULL, or one sentence: there is none, or it cannot be used. Boot only, on the first CPU;
 * once. */
const char *nic_host_init(void);
/* Sends a frame without FCS; from any CPU. false: there is no room for it, or no card. */
bool nic_host_send(const uint8_t *frame, uint32_t bytes);
/* A frame has come, without FCS; it is there until this returns. */
extern void (*nic_frame)(const uint8_t *frame, uint32_t bytes);

/* An interrupt of the card, on the boot CPU. */
void nic_host_interrupt(void);

#endif
