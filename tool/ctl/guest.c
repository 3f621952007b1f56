#include "tool/ctl/guest.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "tool/ctl/screen.h"

cJSON *guest_ask(struct ctl *ctl, char *request)
{
	char error[300];
	cJSON *answer = ctl_ask_json(ctl, request, NULL, error, sizeof error);

	free(request);
	if (answer == NULL)
		die(STATUS_FAILED, "%s", error);
	return answer;
}

void guest_init(struct guest *guest, struct ctl *ctl, const char *vm)
{
	*guest = (struct guest){ .ctl = ctl, .vm = text("%.*s", (int)strcspn(vm, "."), vm),
				 .piece = allocate(GUEST_PIECES * sizeof *guest->piece) };
	for (unsigned n = 0; n < GUEST_PIECES; n++)
		guest->piece[n].at = UINT64_MAX;
}

void guest_free(struct guest *guest)
{
	free(guest->vm);
	free(guest->piece);
}

/* What is no memory has no bytes. */
static size_t fetch(struct guest *guest, uint64_t gpa, uint8_t *to)
{
	static uint8_t packed[2 * GUEST_PIECE];
	char error[300], *request = text("memory %s 0x%llx %d", guest->vm, (unsigned long long)gpa, GUEST_PIECE);
	cJSON *answer = ctl_ask_json(guest->ctl, request, NULL, error, sizeof error);
	size_t length = 0;
	long bytes;

	free(request);
	if (answer == NULL) {
		if (strncmp(error, "there is no memory", 18) != 0)
			die(STATUS_FAILED, "%s", error);
		return 0;
	}
	length = (size_t)ctl_number(answer, "length");
	if (ctl_get(answer, "zeroes") != NULL && length <= GUEST_PIECE) {
		guest->zero_at = gpa;
		guest->zero_end = gpa + (uint64_t)ctl_number(answer, "zeroes");
		memset(to, 0, length);
		cJSON_Delete(answer);
		return length;
	}
	bytes = base64_decode(ctl_text(answer, "packed"), packed, sizeof packed);
	if (bytes < 0 || length > GUEST_PIECE ||
	    LZ4_decompress_safe((char *)packed, (char *)to, (int)bytes, GUEST_PIECE) != (int)length)
		die(STATUS_FAILED, "the hypervisor's answer is not whole");
	cJSON_Delete(answer);
	return length;
}

static const struct guest_piece *piece_of(struct guest *guest, uint64_t at)
{
	struct guest_piece *p;

	for (unsigned n = 0; n < GUEST_PIECES; n++)
		if (guest->piece[n].at == at)
			return &guest->piece[n];
	p = &guest->piece[guest->next++ % GUEST_PIECES];
	if (at >= guest->zero_at && at + GUEST_PIECE <= guest->zero_end) {
		memset(p->data, 0, GUEST_PIECE);
		p->length = GUEST_PIECE;
		p->at = at;
		return p;
	}
	p->length = fetch(guest, at, p->data);
	p->at = at;
	return p;
}

size_t guest_read(struct guest *guest, uint64_t gpa, void *to, size_t length)
{
	size_t done = 0;

	while (done < length) {
		uint64_t at = gpa + done, start = at / GUEST_PIECE * GUEST_PIECE, within = at - start;
		const struct guest_piece *p = piece_of(guest, start);
		size_t n = length - done < GUEST_PIECE - within ? length - done : GUEST_PIECE - within;

		if (within >= p->length)
			break;
		n = n < p->length - within ? n : p->length - within;
		memcpy((uint8_t *)to + done, p->data + within, n);
		done += n;
		if (within + n < GUEST_PIECE && done < length)
			break;
	}
	return done;
}
