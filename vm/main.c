/* vm/main.c - from the boot loader to the last virtual machine's end. The first CPU comes here from
 * host/boot/boot.S. */
#include "vm/control/control.h"
#include "vm/device/console.h"
#include "vm/device/disk.h"
#include "vm/device/net.h"
#include "vm/life/life.h"
#include "vm/snapshot/exchange.h"
#include "vm/vm.h"

#include "host/boot/multiboot.h"
#include "host/cpu/smp.h"
#include "host/cpu/tsc.h"
#include "host/device/acpi.h"
#include "host/device/console.h"
#include "host/device/ioapic.h"
#include "host/device/lapic.h"
#include "host/device/power.h"
#include "host/device/wallclock.h"
#include "host/memory/frames.h"
#include "host/memory/paging.h"
#include "host/trap/canary.h"
#include "host/trap/provoke.h"
#include "vm/memory/owner.h"
#include "vm/native/native.h"

void vellum_main(uint32_t magic, const void *information);

static _Noreturn void end_machine(int status)
{
	console_line("end %d", status);
	console_flush();
	console_part();
	power_off();
}

/* The machine cannot be used; why says it in one sentence. */
static _Noreturn void refuse(const char *why)
{
	console_log("%s", why);
	end_machine(VM_STATUS_UNSUPPORTED);
}

/* Room for what the description may describe. */
static void *descriptions(unsigned count, size_t each)
{
	void *room = frames_take(count * each);

	if (!room)
		refuse("there is no memory for the description of so many virtual machines");
	return room;
}

/* Returns how many are described; *configs is an array of them. */
static unsigned read_configs(struct vm_config **configs)
{
	const struct boot_module *m = boot_module_find("config");
	char error[256];
	unsigned most;
	int n;

	if (!m)
		refuse("the boot image has no module named config, which describes the virtual machines");
	most = config_count((const char *)m->data, m->size);
	*configs = descriptions(most ? most : 1, sizeof(**configs));
	n = config_parse((const char *)m->data, m->size, *configs, most, error, sizeof(error));
	if (n < 0) {
		console_log("the description of the virtual machines: %s", error);
		end_machine(VM_STATUS_BAD_IMAGE);
	}
	return (unsigned)n;
}

static void make_places(void)
{
	struct vm_config *configs;
	unsigned count = read_configs(&configs);
	size_t list = 4096;

	machine.place = descriptions(count, sizeof(*machine.place));
	machine.console_waits = descriptions(count / 64 + 1, sizeof(*machine.console_waits));
	machine.vm_count = count;
	for (unsigned id = 0; id < count; id++) {
		machine.place[id].config = configs + id;
		if (configs[id].console == CONFIG_ON)
			machine.console = id;
		list += CONTROL_LINE_OF_LIST(configs[id].vcpus);
	}
	if (list > CONTROL_ANSWER_SIZE)
		control_make_room(descriptions(1, list), list);
}

/* The guest takes the machine, as the firmware and the loader left it. */
static _Noreturn void go_native(void)
{
	struct vm_config *config;

	if (read_configs(&config) != 1)
		refuse("natively, one guest can run");
	refuse(native_start(config));
}

static void start_host(uint32_t magic, const void *information)
{
	const char *why;

	console_init();
	console_line("vellum 1");
	why = boot_info_read(magic, information);
	if (why)
		refuse(why);
	if (boot_info()->native)
		go_native();
	why = paging_init();
	if (why)
		refuse(why);
	acpi_host_init(boot_info()->rsdp);
	pic_host_disable();
	if (!smp_init_boot_cpu())
		refuse("there is no memory for the first CPU's stacks");
	machine.wall_clock = wallclock_read();
	machine.tsc_hz = tsc_measure();
	if (!machine.tsc_hz)
		refuse("the TSC's rate cannot be told: the 8254 timer does not run, and CPUID does not say; switch the "
		       "timer on in the firmware's setup");
	schedule_init();
	lapic_host_calibrate(machine.tsc_hz);
	console_route_interrupts();
}

/* An application processor: ready for guests, and to work or sleep. */
static void other_cpu(void)
{
	const char *why = hvm_cpu_enable(&machine.caps);

	if (why)
		console_panic("CPU %u: %s", this_cpu()->id, why);
	provoke_other(boot_info()->provoke);
	vm_cpu_loop();
	__builtin_unreachable();
}

static void start_hvm(void)
{
	const char *why = hvm_caps_read(&machine.caps);
	struct speculation_cpu speculation;

	if (!why)
		why = caps_hide(&machine.caps, boot_info()->hide);
	if (!why)
		why = hvm_cpu_enable(&machine.caps);
	if (why)
		refuse(why);
	speculation = speculation_read();
	speculation_judge(&speculation, &machine.speculation);
	hvm_intercepts_init(&machine.caps);
	exit_handlers_init();
	vpid_pool_init(&machine.vpids,
		       min_u64(boot_info()->vpids ? boot_info()->vpids + 1 : VPID_COUNT, hvm_tag_count(&machine.caps)));
	paging_seal(); /* what is above writes for the last time to what becomes read-only; no other CPU runs yet */
	smp_start_others(other_cpu, machine.tsc_hz);
	why = paging_audit();
	if (why)
		refuse(why);
	provoke(boot_info()->provoke);
}

static int first_failure(void)
{
	for (unsigned id = 0; id < machine.vm_count; id++)
		if (machine.place[id].status)
			return machine.place[id].status;
	return 0;
}

void vellum_main(uint32_t magic, const void *information)
{
	const char *why;
	int status;

	canary_choose();
	start_host(magic, information);
	start_hvm();
	stats_host();
	make_places();
	if (!owners_init())
		refuse("there is no memory to tell whose its frames are");
	why = disks_begin(boot_info()->exchange);
	if (!why)
		why = exchange_begin(boot_info()->exchange);
	if (!why)
		why = nets_find_way_out();
	machine.frames_before = frames_available();
	if (!why)
		why = nets_begin();
	if (why)
		refuse(why);
	if (boot_info()->stay)
		life_hold();
	life_begin();
	console_last_words = stats_last_words;
	console_event = platform_console_event;
	control_port_event(); /* what came before */
	for (unsigned n = 1; n < cpus_count(); n++)
		lapic_host_kick(percpu_of(n)->apic_id);
	vm_cpu_loop();
	console_drain();
	status = first_failure();
	vm_release_all();
	end_machine(status);
}
