/* vm/control/move.c - a virtual machine is moved to another container while its guest works: it begins, how far it is,
 * it is called off (vm/live/live.h). Who asks comes again until it is over. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/live/live.h"

static const char *const states[] = {
	[LIVE_NONE] = "over", [LIVE_BEGINS] = "copies", [LIVE_EXPECTS] = "copies", [LIVE_COPIES] = "copies",
	[LIVE_STOPS] = "stands", [LIVE_RESTS] = "stands", [LIVE_REGISTERS] = "stands", [LIVE_HANDS] = "stands",
	[LIVE_UNDOES] = "fails", [LIVE_DROPS] = "fails", [LIVE_FOLLOWS] = "follows", [LIVE_ENDS] = "ends",
};

static bool fail(const struct vm *vm, const char *why, bool ended, char *error, size_t size)
{
	fmt(error, size, "%s was not moved: %s%s", vm->config->name, why, ended ? "" : "; it goes on as it was");
	return false;
}

/* A move that has failed is told as an error, until the next. */
static bool show(struct vm *vm, struct json *j, char *error, size_t size)
{
	struct live_told told;

	if (!live_tell(vm, &told)) {
		fmt(error, size, "%s has not been moved", vm->config->name);
		return false;
	}
	if (told.state == LIVE_NONE && told.failed)
		return fail(vm, told.why, told.ended, error, size);
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, "move", states[told.state]);
	json_text(j, "mmu", told.mmu);
	json_number(j, "left", told.left);
#define A(name) json_number(j, #name, told.account.name);
	LIVE_ACCOUNT(A)
#undef A
	json_close(j, '{');
	return true;
}

static bool begin_move(struct vm *vm, const char *mechanism, bool follows, char *error, size_t size)
{
	const struct mmu_ops *ops = NULL;
	const char *why = NULL;

	if (*mechanism)
		ops = mechanism_named(mechanism, &why);
	why = why ? why : live_begin(vm, ops, follows);
	return !why || fail(vm, why, false, error, size);
}

bool control_move(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	bool follows = strcmp(r->word, "postcopy") == 0;
	const char *why = strcmp(r->word, "cancel") == 0 ? live_cancel(vm) : NULL;

	if (why) {
		fmt(error, size, "the move of %s cannot be called off: %s", vm->config->name, why);
		return false;
	}
	if ((follows || strcmp(r->word, "begin") == 0) && !begin_move(vm, r->name, follows, error, size))
		return false;
	return show(vm, j, error, size);
}

bool control_stays(const struct vm *vm, enum control_command command, char *error, size_t size)
{
	if ((command != CONTROL_MMU && command != CONTROL_TPR) || !live_is_of(vm))
		return false;
	fmt(error, size, "%s is being moved, and stays as it is until then", vm->config->name);
	return true;
}
