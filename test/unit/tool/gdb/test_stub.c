/* GDB's remote protocol (tool/gdb/) against a hypervisor that is made up: packets whole, broken and malicious; what
 * each asks for, and what it answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tool/gdb/stub.h"

static struct {
	struct bytes asked;     /* requests, a line each */
	char status[300];
	bool refuses, gone, no_avx;
} hypervisor;

static void add_registers(struct bytes *out)
{
	uint64_t number[REGISTERS_NUMBERS];
	uint8_t image[REGISTERS_IMAGE] = { 0x7f, 3 }, ymm[REGISTERS_YMM] = { [16] = 0x5a };

	for (unsigned n = 0; n < REGISTERS_NUMBERS; n++)
		number[n] = 0x1000 + n;
	bytes_print(out, "{\"long\":true,\"code_base\":\"0x0\",\"registers\":\"");
	hex_add(out, number, sizeof number);
	bytes_print(out, "\",\"fpu\":\"");
	hex_add(out, image, sizeof image);
	if (!hypervisor.no_avx) {
		bytes_print(out, "\",\"ymm\":\"");
		hex_add(out, ymm, sizeof ymm);
	}
	bytes_print(out, "\"}");
}

static cJSON *answer(void *context, const char *request, char *error, size_t size)
{
	struct bytes text = { 0 };
	cJSON *json;

	(void)context;
	bytes_print(&hypervisor.asked, "%s\n", request);
	if (hypervisor.gone || (hypervisor.refuses && strstr(request, "status") == NULL)) {
		snprintf(error, size, "no");
		return NULL;
	}
	if (strstr(request, " registers") != NULL)
		add_registers(&text);
	else if (strncmp(request, "dump", 4) == 0)
		bytes_print(&text, "{\"bytes\":\"0102a0\"}");
	else
		bytes_print(&text, "%s", hypervisor.status);
	json = cJSON_Parse(text.data);
	bytes_free(&text);
	assert_non_null(json);
	return json;
}

static void show(FILE *out, const char *command, const cJSON *shown)
{
	(void)shown;
	fprintf(out, "<%s>", command);
}

static void stopped(const char *why0, const char *why1)
{
	snprintf(hypervisor.status, sizeof hypervisor.status,
		 "{\"attached\":true,\"stopped\":true,\"vcpus\":[{\"why\":\"%s\",\"address\":\"0xabc\"},"
		 "{\"why\":\"%s\",\"address\":\"0xdef\"}]}", why0, why1);
}

static struct stub *start(void)
{
	static struct stub stub;
	char error[300];

	bytes_free(&hypervisor.asked);
	memset(&hypervisor, 0, sizeof hypervisor);
	stopped("paused", "paused");
	stub = (struct stub){ .ask = answer, .show = show, .vm = "g" };
	assert_true(stub_begin(&stub, error, sizeof error));
	hypervisor.asked.length = 0;
	return &stub;
}

static void send_text(struct stub *stub, const char *packet)
{
	struct bytes frame = { 0 };

	packet_frame(&frame, packet, strlen(packet));
	stub_take(stub, frame.data, frame.length);
	bytes_free(&frame);
}

/* Everything that GDB gets for the packet. */
static void says(struct stub *stub, const char *packet, const char *reply)
{
	struct bytes expected = { 0 };

	stub->out.length = 0;
	send_text(stub, packet);
	if (!stub->no_acks)
		bytes_print(&expected, "+");
	if (reply != NULL)
		packet_frame(&expected, reply, strlen(reply));
	bytes_add(&stub->out, "", 0);
	bytes_add(&expected, "", 0);
	assert_string_equal(stub->out.data != NULL ? stub->out.data : "",
			    expected.data != NULL ? expected.data : "");
	bytes_free(&expected);
}

#define ASKED(text) assert_string_equal(hypervisor.asked.data, text), hypervisor.asked.length = 0

static void end(struct stub *stub)
{
	stub_end(stub);
	bytes_free(&hypervisor.asked);
	memset(&hypervisor.asked, 0, sizeof hypervisor.asked);
}

static void frames(void **state)
{
	static const char odd[] = { 'a', '$', '#', '}', '*', 0, 3 };
	static struct packet_reader reader;
	struct bytes frame = { 0 };
	enum packet_event event = PACKET_NOTHING;

	(void)state;
	packet_frame(&frame, odd, sizeof odd);
	for (size_t i = 0; i < frame.length; i++) {
		assert_int_equal(event, PACKET_NOTHING);
		event = packet_take(&reader, frame.data[i]);
	}
	assert_int_equal(event, PACKET_WHOLE);
	assert_int_equal(reader.length, sizeof odd);
	assert_memory_equal(reader.data, odd, sizeof odd);
	bytes_free(&frame);
}

static void bad_packets(void **state)
{
	struct stub *stub = start();
	static char big[2 * PACKET_MAX];

	(void)state;
	stub_take(stub, "$qC#00", 6);
	assert_memory_equal(stub->out.data, "-", 1);
	stub->out.length = 0;
	stub_take(stub, "$qC#zz", 6);
	assert_memory_equal(stub->out.data, "-", 1);
	stub->out.length = 0;
	stub_take(stub, "$half$qC#b4", 11);     /* the end of one was lost */
	assert_memory_equal(stub->out.data, "+$QC1#", 6);
	memset(big, 'a', sizeof big - 1);
	says(stub, "qC", "QC1");
	stub->out.length = 0;
	send_text(stub, big);
	assert_memory_equal(stub->out.data, "$E01#", 5);
	says(stub, "qC", "QC1");
	stub->out.length = 0;
	stub_take(stub, "-", 1);                /* again */
	assert_memory_equal(stub->out.data, "$QC1#", 5);
	end(stub);
}

/* Every one of them is answered by an error, or by nothing. */
static void nonsense(void **state)
{
	static const char *const errors[] = {
					      "m", "mzz,1", "m1", "m1,", "m1,1x", "m10000000000000000,1", "M1,2:0",
					      "M1,1:",
					      "M1,ffffffff:00", "X1,5:a", "P", "Pff=00", "P1", "p", "pfff", "G0", "G",
					      "Z0", "Z0,", "Z0,1", "z9", "Hx1", "Hg9", "T", "T3", "vCont", "vCont;",
					      "vCont;x", "vCont;c:9", "vCont;c:", "qThreadExtraInfo,9" };
	static const char *const nothing[] = { "Z9,1,1", "vMustReplyEmpty", "qNothing", "Q", "!", "\x01", "" };
	struct stub *stub = start();

	(void)state;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		stub->out.length = 0;
		send_text(stub, errors[i]);
		if (strcmp(errors[i], "G") != 0 && strcmp(errors[i], "z9") != 0)
			assert_memory_equal(stub->out.data, "+$E01#", 6);
		assert_false(stub->running);
	}
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
		says(stub, nothing[i], "");
	says(stub, "qXfer:features:read:other:0,1", "E00");
	says(stub, "qXfer:features:read:target.xml:,1", "E00");
	end(stub);
}

static void memory(void **state)
{
	struct stub *stub = start();

	(void)state;
	says(stub, "Hg2", "OK");
	says(stub, "mffffffff81000000,3", "0102a0");
	ASKED("dump g.1 gva 0xffffffff81000000 3\n");
	says(stub, "M10,2:a1B2", "OK");
	ASKED("debug g.1 write 0x10 a1b2\n");
	says(stub, "X10,2:$}", "OK");
	ASKED("debug g.1 write 0x10 247d\n");
	says(stub, "X10,0:", "OK");
	says(stub, "Z0,1234,1", "OK");
	ASKED("debug g.1 insert soft 0x1234 1\n");
	says(stub, "z2,1238,4", "OK");
	ASKED("debug g.1 remove watch 0x1238 4\n");
	hypervisor.refuses = true;
	says(stub, "Z1,1234,1", "E01");
	says(stub, "m0,4", "E01");
	says(stub, "M0,1:00", "E01");
	end(stub);
}

static void registers(void **state)
{
	struct stub *stub = start();

	(void)state;
	assert_int_equal(stub->form, REGISTERS_WIDE | REGISTERS_AVX);
	says(stub, "p0", "0010000000000000");
	says(stub, "p10", "1010000000000000");  /* RIP */
	says(stub, "P10=2200000000000000", "OK");
	assert_non_null(strstr(hypervisor.asked.data, "debug g.0 set rip 2200000000000000\n"));
	says(stub, "p22", "ffff0000");          /* no register of x87 is in use */
	says(stub, "p43", "5a000000000000000000000000000000"); /* of YMM1 */
	hypervisor.asked.length = 0;
	says(stub, "P43=000102030405060708090a0b0c0d0e0f", "OK");
	ASKED("debug g.0 set y16 000102030405060708090a0b0c0d0e0f\n");
	end(stub);
}

/* GDB takes no more and no fewer than it was told of. */
static void forms(void **state)
{
	char *xml = registers_description(REGISTERS_WIDE);
	struct stub *stub = start();

	(void)state;
	assert_non_null(strstr(xml, "i386:x86-64"));
	assert_null(strstr(xml, "avx"));
	free(xml);
	xml = registers_description(REGISTERS_AVX);
	assert_non_null(strstr(xml, "<feature name=\"org.gnu.gdb.i386.avx\"><reg name=\"ymm0h\""));
	assert_null(strstr(xml, "ymm8h"));
	free(xml);
	assert_int_equal(registers_count(REGISTERS_WIDE), 24 + 16 + 17 + 9);
	assert_int_equal(registers_count(0), 16 + 16 + 9 + 9);
	assert_int_equal(registers_count(REGISTERS_WIDE | REGISTERS_AVX), 24 + 16 + 17 + 9 + 16);
	hypervisor.no_avx = true;
	stub->registers_of = 0;
	assert_true(stub_fetch_registers(stub));
	assert_int_equal(stub->form, REGISTERS_WIDE);
	says(stub, "p43", "E01");
	end(stub);
}

static void running(void **state)
{
	struct stub *stub = start();

	(void)state;
	says(stub, "qSupported:swbreak+;hwbreak+", "PacketSize=1000;qXfer:features:read+;QStartNoAckMode+;"
						   "vContSupported+;swbreak+;hwbreak+");
	stub->out.length = 0;
	send_text(stub, "QStartNoAckMode");
	assert_memory_equal(stub->out.data, "+$OK#9a", 7);
	says(stub, "?", "T05thread:1;");
	hypervisor.asked.length = 0;
	says(stub, "vCont;s:2;c", NULL);
	ASKED("debug g.1 step\n");
	assert_true(stub->running);
	says(stub, "qC", NULL);                 /* nothing is answered meanwhile */
	stopped("paused", "stepped");
	stub->out.length = 0;
	stub_look(stub);
	assert_memory_equal(stub->out.data, "$T05thread:2;#", 14);
	hypervisor.asked.length = 0;
	says(stub, "vCont;s:1", NULL);
	ASKED("debug g.0 stepalone\n");
	stopped("watch", "access");             /* two at once: the second waits */
	stub->out.length = 0;
	stub_look(stub);
	assert_memory_equal(stub->out.data, "$T05thread:1;watch:abc;#", 24);
	says(stub, "vCont;c", "T05thread:2;awatch:def;");
	hypervisor.asked.length = 0;
	says(stub, "vCont;c", NULL);
	ASKED("debug g.0 continue\n");
	stub_take(stub, "\x03", 1);
	ASKED("debug g pause\n");
	stopped("paused", "paused");
	stub->out.length = 0;
	stub_look(stub);
	assert_memory_equal(stub->out.data, "$T02thread:2;#", 14);
	end(stub);
}

static void the_end(void **state)
{
	struct stub *stub = start();

	(void)state;
	says(stub, "c", NULL);
	hypervisor.gone = true;
	stub->out.length = 0;
	stub_look(stub);
	assert_memory_equal(stub->out.data, "$X09#", 5);
	end(stub);
	stub = start();
	says(stub, "D", "OK");
	ASKED("debug g detach\n");
	assert_true(stub->detached);
	end(stub);
	stub = start();
	hypervisor.asked.length = 0;
	send_text(stub, "k");
	ASKED("stop g\n");
	end(stub);
}

static void others(void **state)
{
	struct stub *stub = start();

	(void)state;
	says(stub, "qfThreadInfo", "m1,2");
	says(stub, "qsThreadInfo", "l");
	says(stub, "T2", "OK");
	says(stub, "qRcmd,73746174732078", "3c73746174733e"); /* stats x */
	ASKED("stats g x\n");
	says(stub, "vCont?", "vCont;c;C;s;S");
	end(stub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames), cmocka_unit_test(bad_packets), cmocka_unit_test(nonsense),
		cmocka_unit_test(memory), cmocka_unit_test(registers), cmocka_unit_test(forms),
		cmocka_unit_test(running), cmocka_unit_test(the_end), cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
