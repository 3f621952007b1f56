/* What the kernel does at random: raises and lowers, sends and arms, nested in itself and in its handlers. */
#include "guest/test/irql/irql.h"

static unsigned budget; /* what may still be sent in this round: handlers send too */
static unsigned raises;
static bool lazily;

static unsigned any_class(void) { return CLASS_FIRST + random_below(CLASS_LAST - CLASS_FIRST + 1); }

static void send_something(void)
{
	if (!budget)
		return;
	budget--;
	if (random_below(2))
		second_send();
	switch (random_below(6)) {
	case 0:
		arm_timer(random_below(2000));
		break;
	case 1:
		pulse_line();
		break;
	case 2:
		if (!lazily)
			assert_line();
		break;
	default:
		send_ipi(any_class() << 4 | (random_below(2) ? IPI_LOW : IPI_HIGH));
	}
}

/* A lock: raised, work, lowered to what it was. Never below: that is for who raised it. */
static void with_lock(void)
{
	uint8_t old = tpr_now();
	unsigned level = (old >> 4) + random_below(16 - (old >> 4));

	raises++;
	tpr_write((uint8_t)(level == 15 && random_below(2) ? 0xff : level << 4 | random_below(16)));
	if (random_below(4) == 0)
		tpr_write(tpr_now());
	kernel_work(1 + random_below(3));
	MUST(tpr_read() == tpr_kept(tpr_now()), "TPR is 0x%x, not 0x%x", tpr_read(), tpr_now());
	tpr_write(old);
}

static void with_lazy_lock(void)
{
	static unsigned level;
	unsigned before = level, old;

	raises++;
	level += random_below(16 - level);
	old = lazy_raise(level);
	kernel_work(2 + random_below(3));
	lazy_lower(old);
	level = before;
}

static void closed_lock(void)
{
	bool on = interrupts_on();
	uint8_t old = tpr_now();

	cli();
	tpr_write((uint8_t)((old >> 4) + random_below(16 - (old >> 4))) << 4);
	send_something();
	tpr_write(old);
	if (on) {
		sti();
		__asm__ volatile("nop");
		check_nothing_due();
	}
}

/* Once lazy, the level is lowered lazily only: what was put off comes again when it is. */
static bool only_lazily(void) { return lazily && !in_handler(); }

void kernel_work(unsigned steps)
{
	static unsigned nested;

	nested++;
	while (steps--) {
		check_nothing_due();
		switch (random_below(nested < 6 ? 6 : 4)) {
		case 4:
		case 5:
			if (only_lazily())
				with_lazy_lock();
			else
				with_lock();
			break;
		case 3:
			if (!only_lazily())
				closed_lock();
			break;
		default:
			send_something();
		}
	}
	nested--;
}

static void one_round(unsigned n)
{
	budget = 30 + random_below(60);
	lazily = n % 4 == 3;
	devices_place();
	devices_run(true);
	second_play(true);
	sti();
	arm_timer(random_below(3000));
	while (budget && (!lazily || budget > 5))
		kernel_work(4);
	cli();
	devices_run(false);
	second_play(false);
	drain();
	lazily = false;
}

void test_rounds(unsigned rounds)
{
	unsigned all = 0, classes = 0;

	for (unsigned n = 0; n < rounds; n++)
		one_round(n);
	if (!rounds)
		return;
	for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++) {
		unsigned of_class = 0;

		for (unsigned v = c << 4; v >> 4 == c; v++)
			of_class += taken[v];
		all += of_class;
		classes += of_class != 0;
	}
	for (enum source s = IPI_LOW; s <= IPI_HIGH; s++) {
		/* Slow, and not many rounds; and one is the 8259's, perhaps. */
		bool rare = (parameter("second") && (s == PIT || s == RTC)) || (parameter("extint") && s == PIT);
		unsigned of_source = 0;

		for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++)
			of_source += taken[c << 4 | s];
		if (!rare && (s <= TIMER || s == IPI_HIGH || (s == REMOTE && parameter("second")) ||
			      (have_lines && s <= LEVEL_LINE)))
			CHECK(of_source, "no interrupt from source %u", s);
	}
	CHECK(classes == CLASS_LAST - CLASS_FIRST + 1, "interrupts of %u classes came", classes);
	devices_report();
	second_report();
	print("%s: %u rounds, %u raises, %u interrupts, at most %u in service\n", test_name, rounds, raises, all,
	      most_depth);
	print("%s: %u times lowered, %u times to let interrupts in, %u times but for IF\n", test_name, lowerings,
	      lowerings_took, lowerings_held);
}
