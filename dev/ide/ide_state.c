/* dev/ide/ide_state.c - what a snapshot holds of the IDE controller and its drives. What the medium was asked for is
 * answered before (struct block_disk: .first); a transfer by the data port may be in the middle. */
#include "dev/ide/ide.h"
#include "lib/mutants/mutate.h"

static void registers_state(struct fields *s, struct ide_registers *r)
{
	state_u8(s, &r->features);
	state_u8(s, &r->count);
	state_u8(s, &r->low);
	state_u8(s, &r->mid);
	state_u8(s, &r->high);
}

/* The command, and the buffer, of which no more counts than was filled. ID4, ID5. */
static void command_state(struct fields *s, struct ide_drive *d)
{
	state_u8(s, &d->command);
	state_bool(s, &d->write);
	state_bool(s, &d->dma);
	state_bool(s, &d->ext);
	state_u64(s, &d->sector);
	state_u32(s, &d->left);
	state_u32(s, &d->at);
	state_u32(s, &d->end);
	state_u32(s, &d->filled);
	state_u32(s, &d->block);
	state_u32(s, &d->limit);
	state_u32(s, &d->answer);
	state_check(s, VM_LEFT_OUT_OR(STATE_IDE_BUFFER, d->at <= d->end && d->end <= d->filled &&
				      d->filled <= IDE_BUFFER && d->answer <= IDE_BUFFER),
		    "the buffer holds more than it can");
	state_check(s, VM_LEFT_OUT_OR(STATE_IDE_RANGE, !d->left || block_in_range(d->disk, d->sector, d->left)) &&
		    (!d->write || !d->disk->read_only) && (d->block || d->end == d->filled),
		    "a command is one that it refuses");
	if (!s->bad)
		state_bytes(s, d->buffer, d->filled > d->answer ? d->filled : d->answer);
}

static void settings_state(struct fields *s, struct ide_drive *d)
{
	state_u8(s, &d->multiple);
	state_u8(s, &d->heads);
	state_u8(s, &d->track);
	state_bool(s, &d->write_through);
	state_u8(s, &d->transfer_mode);
	state_u8(s, &d->sense.key);
	state_u8(s, &d->sense.code);
	state_u8(s, &d->sense.qualifier);
	state_bool(s, &d->attention);
	state_bool(s, &d->open);
	state_bool(s, &d->locked);
	state_u8(s, &d->event);
	state_check(s, VM_LEFT_OUT_OR(STATE_IDE_GEOMETRY, d->heads && d->track) && d->multiple <= IDE_MULTIPLE &&
		    d->transfer_mode <= 2, "a setting is one that it refuses");
}

static void drive_state(struct fields *s, struct ide_drive *d)
{
	unsigned phase = d->phase;

	state_same(s, d->disk ? 1 + d->cd : 0, "another drive is in a place");
	if (!d->disk)
		return;
	state_same(s, d->disk->sectors, "the medium has another size");
	registers_state(s, &d->now);
	registers_state(s, &d->before);
	state_u8(s, &d->status);
	state_u8(s, &d->error);
	state_bool(s, &d->interrupt);
	state_unsigned(s, &phase);
	state_check(s, VM_LEFT_OUT_OR(STATE_IDE_PHASE, phase <= IDE_STUCK && phase != IDE_MEDIUM),
		    "the medium is asked, and nobody waits");
	if (s->load && !s->bad)
		d->phase = (enum ide_phase)phase;
	command_state(s, d);
	settings_state(s, d);
}

static void channel_state(struct fields *s, struct ide_channel *c)
{
	state_u8(s, &c->device);
	state_u8(s, &c->control);
	state_bool(s, &c->level);
	state_u8(s, &c->dma.command);
	state_u8(s, &c->dma.status);
	state_u32(s, &c->dma.table);
	state_check(s, !(c->dma.table & 3), "the bus master's table is at no doubleword");
	for (unsigned n = 0; n < ARRAY_SIZE(c->drive); n++)
		drive_state(s, &c->drive[n]);
}

void ide_state(struct fields *s, struct ide *ide)
{
	state_begin(s, "ide", 1);
	for (unsigned n = 0; n < IDE_CHANNELS; n++)
		channel_state(s, &ide->channel[n]);
	state_end(s);
}
