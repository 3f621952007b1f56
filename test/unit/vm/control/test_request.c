/* The control channel's requests and the JSON of its answers, with what arrives on a serial port: requests, halves of
 * them, garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/control/request.h"
#include "vm/control/json.h"
#include "lib/xorshift.h"

static struct control_request request;
static char error[300];

/* Feeds a text; 1: a request came out, 0: a sentence, -1: nothing. Only the first line counts. */
static int feed(const char *text)
{
	static struct control_line line;

	memset(&request, 0x5a, sizeof(request));
	error[0] = 0;
	for (; *text; text++)
		if (control_line_take(&line, (uint8_t)*text))
			return control_parse(&line, &request, error, sizeof(error));
	return -1;
}

static void bad(const char *text, const char *tag, const char *sentence)
{
	assert_int_equal(feed(text), 0);
	assert_string_equal(request.tag, tag);
	assert_string_equal(error, sentence);
}

static void test_requests(void **state)
{
	(void)state;
	assert_int_equal(feed("a1 list\n"), 1);
	assert_int_equal(request.command, CONTROL_LIST);
	assert_string_equal(request.tag, "a1");
	assert_int_equal(feed("x  stats \t guest\r\n"), 1);
	assert_int_equal(request.command, CONTROL_STATS);
	assert_string_equal(request.vm, "guest");
	assert_int_equal(feed("x phases 1\n"), 1);
	assert_int_equal(request.command, CONTROL_PHASES);
	assert_string_equal(request.vm, "1");
	assert_int_equal(feed("x shutdown 1\n"), 1);
	assert_int_equal(request.command, CONTROL_SHUTDOWN);
	assert_int_equal(feed("x mmu 0 shadow\n"), 1);
	assert_string_equal(request.word, "shadow");
	assert_int_equal(feed("x translate g 0xffffFFFF81000000\n"), 1);
	assert_int_equal(request.address, 0xffffffff81000000);
	assert_int_equal(feed("x dump g\n"), 1);
	assert_int_equal(request.space, CONTROL_REGISTERS);
	assert_int_equal(feed("x dump g 4096\n"), 1);
	assert_int_equal(request.space, CONTROL_GVA);
	assert_int_equal(request.address, 4096);
	assert_int_equal(request.length, 256);
	assert_int_equal(feed("x dump g gpa 0x10 4096\n"), 1);
	assert_int_equal(request.space, CONTROL_GPA);
	assert_int_equal(request.length, 4096);
	assert_int_equal(feed("x dirty g\n"), 1);
	assert_int_equal(request.length, 0);
	assert_int_equal(feed("x dirty g 60\n"), 1);
	assert_int_equal(request.command, CONTROL_DIRTY);
	assert_int_equal(request.length, 60);
	assert_int_equal(feed("x dirty g on pml\n"), 1);
	assert_int_equal(request.length, 0);
	assert_string_equal(request.word, "on");
	assert_string_equal(request.name, "pml");
	assert_int_equal(feed("x dirty g off\n"), 1);
	assert_string_equal(request.word, "off");
	assert_string_equal(request.name, "");
	assert_int_equal(feed("\n"), -1);
	assert_int_equal(feed("a li"), -1);
	assert_int_equal(feed("st\n"), 1);
}

static void test_places(void **state)
{
	(void)state;
	assert_int_equal(feed("x dump g\n"), 1);
	assert_int_equal(request.vcpu, CONTROL_ANY);
	assert_int_equal(feed("x dump g.12\n"), 1);
	assert_string_equal(request.vm, "g");
	assert_int_equal(request.vcpu, 12);
	assert_int_equal(feed("x pin g any\n"), 1);
	assert_int_equal(request.command, CONTROL_PIN);
	assert_int_equal(request.address, CONTROL_ANY);
	assert_int_equal(request.vcpu, CONTROL_ANY);
	assert_int_equal(feed("x migrate 1.0 3\n"), 1);
	assert_int_equal(request.command, CONTROL_MIGRATE);
	assert_int_equal(request.vcpu, 0);
	assert_int_equal(request.address, 3);
	assert_int_equal(feed("x weight g 300\n"), 1);
	assert_int_equal(request.command, CONTROL_WEIGHT);
	assert_int_equal(request.address, 300);
}

static void test_place_refusals(void **state)
{
	(void)state;
	bad("a migrate g 1\n", "a", "it is: migrate VM.VCPU CPU");
	bad("a pin g. 1\n", "a", " is not the number of a virtual CPU");
	bad("a pin g.-1 1\n", "a", "-1 is not the number of a virtual CPU");
	bad("a pin g.0x 1\n", "a", "0x is not the number of a virtual CPU");
	bad("a pin .1 1\n", "a", " is not a virtual machine's name or number");
	bad("a pin g each\n", "a", "each is not a CPU's number");
	bad("a migrate g.1 any\n", "a", "any is not a CPU's number");
	bad("a weight g heavy\n", "a", "heavy is not a weight");
}

/* A debugger's words (vm/control/debug.c). */
static void test_debug(void **state)
{
	char text[300];

	(void)state;
	assert_int_equal(feed("a debug g.1 set rax 0102fF\n"), 1);
	assert_int_equal(request.command, CONTROL_DEBUG);
	assert_int_equal(request.vcpu, 1);
	assert_string_equal(request.word, "set");
	assert_string_equal(request.name, "rax");
	assert_int_equal(request.count, 3);
	assert_int_equal(request.bytes[2], 0xff);
	assert_int_equal(feed("a debug g write 0x10 00\n"), 1);
	assert_int_equal(request.address, 0x10);
	assert_int_equal(feed("a debug g insert watch 16 4\n"), 1);
	assert_string_equal(request.name, "watch");
	assert_int_equal(request.address, 16);
	assert_int_equal(request.length, 4);
	bad("a debug g status now\n", "a", "debug status needs no more");
	bad("a debug g insert soft 1\n", "a", "debug insert needs three");
	bad("a debug g set rax 012\n", "a", "012 is not 1 to 64 bytes in hexadecimal");
	bad("a debug g write x 01\n", "a", "x is not an address, or no length follows");
	strcpy(text, "a debug g write 0 ");
	for (unsigned n = 0; n < CONTROL_BYTES_MAX; n++)
		strcat(text, "01");
	strcat(text, "\n");
	assert_int_equal(feed(text), 1);
	strcpy(text + strlen(text) - 1, "01\n");
	assert_int_equal(feed(text), 0);
}

static void test_screen(void **state)
{
	(void)state;
	assert_int_equal(feed("a screen g\n"), 1);
	assert_int_equal(request.command, CONTROL_SCREEN);
	assert_int_equal(request.address, 0);
	assert_int_equal(feed("a screen g 17\n"), 1);
	assert_int_equal(request.address, 17);
	assert_int_equal(feed("a video g 4096 16384\n"), 1);
	assert_int_equal(request.command, CONTROL_VIDEO);
	assert_int_equal(request.address, 4096);
	assert_int_equal(request.length, 16384);
	assert_int_equal(feed("a memory g 0x3000 16384\n"), 1);
	assert_int_equal(request.command, CONTROL_MEMORY);
	assert_int_equal(request.space, CONTROL_GPA);
	assert_int_equal(request.address, 0x3000);
	assert_int_equal(request.length, 16384);
	assert_int_equal(feed("a keys g 001c021c\n"), 1);
	assert_int_equal(request.command, CONTROL_KEYS);
	assert_int_equal(request.count, 4);
	assert_int_equal(request.bytes[2], 2);
	assert_int_equal(feed("a mouse g 010500feff00\n"), 1);
	assert_int_equal(request.command, CONTROL_MOUSE);
	assert_int_equal(request.count, CONTROL_MOUSE_BYTES);
	assert_int_equal(feed("a console g 4097\n"), 1);
	assert_int_equal(request.command, CONTROL_CONSOLE);
	assert_int_equal(request.address, 4097);
	assert_int_equal(feed("a console g\n"), 1);
	assert_int_equal(request.address, 0);
	assert_int_equal(feed("a input g 610d\n"), 1);
	assert_int_equal(request.command, CONTROL_INPUT);
	assert_int_equal(request.count, 2);
	assert_int_equal(request.bytes[1], 0x0d);
	bad("a input g\n", "a", "it is: input VM BYTES");
	bad("a console g now\n", "a", "now is not a number");
	bad("a screen g now\n", "a", "now is not a number");
	bad("a video g 0\n", "a", "it is: video VM OFFSET LENGTH");
	bad("a video g x 4\n", "a", "x is not a number");
	bad("a video g 0 0\n", "a", "the length must be from 1 to 16384, not 0");
	bad("a video g 0 16385\n", "a", "the length must be from 1 to 16384, not 16385");
	bad("a keys g 001\n", "a", "001 is not 1 to 64 bytes in hexadecimal");
}

static void test_save(void **state)
{
	(void)state;
	assert_int_equal(feed("a save g.1 cpu\n"), 1);
	assert_int_equal(request.command, CONTROL_SAVE);
	assert_int_equal(request.vcpu, 1);
	assert_string_equal(request.word, "cpu");
	assert_int_equal(feed("a save g machine 16384\n"), 1);
	assert_int_equal(request.address, 16384);
	bad("a save g\n", "a", "it is: save VM[.VCPU] WORD [OFFSET]");
	bad("a save g machine x\n", "a", "x is not a number");
	bad("a save g a$b\n", "a", "a$b is not a part of a snapshot's name");
}

static void test_balloon(void **state)
{
	(void)state;
	bad("a balloon g 1 2\n", "a", "it is: balloon VM [BYTES]");
	bad("a balloon g 0\n", "a", "a guest has from 1 byte of RAM on, not 0");
	bad("a balloon g 64M\n", "a", "a guest has from 1 byte of RAM on, not 64M");
}

static void test_refusals(void **state)
{
	char text[1000];

	(void)state;
	bad("list\n", "list",
	    "no command; there are list, stats, phases, mmu, pause, resume, shutdown, translate, dump, audit, start, "
	    "stop, reset, destroy, tpr, dirty, balloon, pin, migrate, weight, debug, screen, video, keys, mouse, "
	    "detail, trace, traced, memory, console, input, save, merge, tell and move");
	bad("a lust\n", "a",
	    "there is no command lust; there are list, stats, phases, mmu, pause, resume, shutdown, translate, dump, "
	    "audit, start, stop, reset, destroy, tpr, dirty, balloon, pin, migrate, weight, debug, screen, video, "
	    "keys, mouse, detail, trace, traced, memory, console, input, save, merge, tell and move");
	bad("a list b\n", "a", "it is: list");
	bad("a stats\n", "a", "it is: stats VM");
	bad("a tell g stop\n", "a", "it is: tell VM [pause]");
	bad("a dump g gva\n", "a", "it is: dump VM[.VCPU], or dump VM[.VCPU] [gva|gpa] ADDRESS [LENGTH]");
	bad("a dump g gva 1 2 3 4 5 6\n", "a", "it is: dump VM[.VCPU], or dump VM[.VCPU] [gva|gpa] ADDRESS [LENGTH]");
	bad("a dump g 1 0\n", "a", "the length must be from 1 to 4096, not 0");
	bad("a dump g 1 4097\n", "a", "the length must be from 1 to 4096, not 4097");
	bad("a dirty\n", "a", "it is: dirty VM [SECONDS], or dirty VM on [METHOD], off or show");
	bad("a dirty g show pml\n", "a", "it is: dirty VM [SECONDS], or dirty VM on [METHOD], off or show");
	bad("a dirty g 1 pml\n", "a", "it is: dirty VM [SECONDS], or dirty VM on [METHOD], off or show");
	bad("a merge g\n", "a", "it is: merge VM on, off or stats");
	bad("a merge g show\n", "a", "it is: merge VM on, off or stats");
	bad("a dirty g 0\n", "a", "a measurement takes from 1 to 60 seconds, not 0");
	bad("a dirty g 61\n", "a", "a measurement takes from 1 to 60 seconds, not 61");
	bad("a dirty g 1s\n", "a", "a measurement takes from 1 to 60 seconds, not 1s");
	bad("a translate g 0x\n", "a", "0x is not an address");
	bad("a translate g 0x10000000000000000\n", "a", "0x10000000000000000 is not an address");
	bad("a translate g 18446744073709551616\n", "a", "18446744073709551616 is not an address");
	bad("a translate g 12f\n", "a", "12f is not an address");
	bad("a stats a/b\n", "a", "a/b is not a virtual machine's name or number");
	bad("a$ list\n", "-", "a line must begin with a tag of 1 to 16 letters, digits, - _ and .");
	bad("12345678901234567 list\n", "-", "a line must begin with a tag of 1 to 16 letters, digits, - _ and .");
	bad("a \x01list\n", "-", "the line holds bytes that are no printable characters");
	bad(" \n", "-", "a line must begin with a tag of 1 to 16 letters, digits, - _ and .");
	memset(text, 'x', sizeof(text));
	memcpy(text, "a stats ", 8);
	memcpy(text + 990, "\n", 2);
	bad(text, "a", "the line is too long: at most 200 characters");
	assert_int_equal(feed("a list\n"), 1);
}

static uint64_t random_state = 88172645463325252;

static unsigned random_below(unsigned n)
{
	return (unsigned)(xorshift(&random_state) >> 33) % n;
}

static void check_request(bool ok)
{
	assert_true(strlen(request.tag) >= 1 && strlen(request.tag) <= CONTROL_TAG_MAX);
	if (!ok) {
		assert_true(strlen(error) > 0 && strlen(error) < sizeof(error));
		assert_null(strpbrk(error, "\r\n"));
		return;
	}
	assert_in_range(request.command, CONTROL_LIST, CONTROL_LAST);
	assert_true(strlen(request.vm) <= CONTROL_WORD_MAX && strlen(request.word) <= CONTROL_WORD_MAX);
	assert_true((request.command == CONTROL_LIST) == (request.vm[0] == 0));
	if (request.command == CONTROL_DUMP && request.space != CONTROL_REGISTERS)
		assert_in_range(request.length, 1, CONTROL_DUMP_MAX);
}

static const char *const seeds[] = {
	"t dump guest gva 0xffffffff81000000 4096\n",
	"t1 translate 0 18446744073709551615\n",
	"abc mmu guest next\n",
	"q list\n",
	"q audit g\n", "q tell g pause\n", "q start g\n", "q stop g\n", "q reset g\n", "q destroy g\n",
	"\n\n a b c d e f g h i j\n",
	"dump dump dump dump dump dump\n",
};

/* Requests with bytes changed, left out, put in: never more than a sentence, and the next good request works. */
static void test_garbage(void **state)
{
	unsigned requests = 0, sentences = 0;

	(void)state;
	for (unsigned n = 0; n < 200000; n++) {
		struct control_line *line = calloc(1, sizeof(*line));
		const char *seed = seeds[random_below(ARRAY_SIZE(seeds))];
		size_t length = strlen(seed);

		for (unsigned round = 0; round < 3; round++) {
			for (size_t i = 0; i < length; i++) {
				unsigned what = random_below(60);
				uint8_t byte = what == 0   ? (uint8_t)random_below(256)
					       : what == 1 ? ' '
							   : (uint8_t)seed[i];

				if (what == 2)
					continue;
				for (unsigned copies = what == 3 ? random_below(300) : 1; copies; copies--) {
					bool ok;

					if (!control_line_take(line, byte))
						continue;
					memset(&request, 0x5a, sizeof(request));
					error[0] = 0;
					ok = control_parse(line, &request, error, sizeof(error));
					check_request(ok);
					requests += ok;
					sentences += !ok;
				}
			}
		}
		free(line);
	}
	assert_true(requests > 10000 && sentences > 10000);
}

static void test_json(void **state)
{
	char *buf = malloc(200),
	     expected[] = "{\"a\":1,\"b\":\"0xff\",\"c\":[true,\"x\\\"\\\\?\",null],\"d\":\"00ff\",\"e\":{}}";
	const uint8_t bytes[] = { 0, 255 };
	struct json j;

	(void)state;
	for (size_t size = 200; size; size--) {
		buf = realloc(buf, size); /* the sanitizer sees a byte too many */
		json_init(&j, buf, size);
		json_open(&j, NULL, '{');
		json_number(&j, "a", 1);
		json_hex(&j, "b", 255);
		json_open(&j, "c", '[');
		json_bool(&j, NULL, true);
		json_text(&j, NULL, "x\"\\\n");
		json_text(&j, NULL, NULL);
		json_close(&j, '[');
		json_bytes(&j, "d", bytes, sizeof(bytes));
		json_open(&j, "e", '{');
		json_close(&j, '{');
		json_close(&j, '{');
		assert_int_equal(j.overflow, size < sizeof(expected));
		if (!j.overflow)
			assert_string_equal(buf, expected);
		else if (size > 1)
			assert_memory_equal(buf, expected, size - 1);
	}
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_place_refusals),
		cmocka_unit_test(test_save), cmocka_unit_test(test_balloon), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_debug), cmocka_unit_test(test_screen),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
