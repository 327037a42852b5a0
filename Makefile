# Each target sets up what it needs: Debian packages by tools/install-peers.sh, crates by cargo.
CARGO ?= cargo

.PHONY: demo test test-threads test-kernel bench bench-scale bench-hostile soak hold deb peers

# Traces a program with the stock tools and this daemon, and shows the trace.
demo: peers
	$(CARGO) build --release --locked
	demo/run.sh

# All tests. cargo-nextest runs them in processes of their own where it is installed. Of the kernel's domain one scenario
# of both domains is run, where there is the tracer or a machine for it can be prepared.
test: peers
	tools/install-peers.sh 32-bit
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace && $(CARGO) test --workspace --doc; \
	else \
		$(CARGO) test --workspace; \
	fi
	LTTNGD_PAIRS=ours tests/kernel/compare 14-both || { status=$$?; [ $$status = 125 ] && \
		echo "the kernel's domain is not tested: there is neither its tracer here nor a machine that has it"; }

# The tests with whole daemons once more, whose applications have three threads of their own.
test-threads: peers
	tools/install-peers.sh 32-bit
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
		LTTNGD_TEST_ACTOR_THREADS=4 $(CARGO) nextest run -p lttngd --test end_to_end --test status --test service; \
	else \
		LTTNGD_TEST_ACTOR_THREADS=4 $(CARGO) test -p lttngd --test end_to_end --test status --test service; \
	fi

# The kernel's domain, in a machine that has the tracer: each scenario with the stock daemon and with ours, what they
# answered and recorded compared. The first time the machine is prepared, which takes about four minutes.
test-kernel: peers
	$(CARGO) build --locked
	$(CARGO) build --locked --example timeline
	tests/kernel/compare
	tests/kernel/embedded

# Measures this daemon beside the stock one and writes what came out, also into README; takes about a quarter of an hour.
bench: peers
	$(CARGO) bench --bench load -- --leave-out scale- --leave-out hostile- --report docs/performance.md --readme README.md

# The same by numbers of applications and sessions, and beside one user who wants the daemon for himself; each takes half
# an hour and more.
bench-scale: peers
	$(CARGO) bench --bench load -- --only scale-

bench-hostile: peers
	$(CARGO) bench --bench load -- --only hostile-

# Lets sessions live and die at random for MINUTES, an hour unless told otherwise, and fails when something is left of them.
soak: MINUTES ?= 60
soak: peers
	$(CARGO) bench --bench load -- --soak $(MINUTES)

# Holds many applications and sessions for MINUTES, ten unless told otherwise, and fails when something is lost.
hold: MINUTES ?= 10
hold: peers
	$(CARGO) bench --bench load -- --hold $(MINUTES)

# Debian packages in target/debian: lttngd, beside lttng-tools' daemon, and lttngd-sessiond, which puts it in place of that.
# They are installed into a root of their own, and the daemon is started from there.
deb: peers
	$(CARGO) build --release --locked
	packages=$$(packaging/deb/make.sh) && packaging/deb/try.sh $$packages && ls -l $$packages

peers:
	tools/install-peers.sh
