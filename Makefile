# Each target sets up what it needs: Debian packages by tools/install-peers.sh, crates by cargo.
CARGO ?= cargo

.PHONY: demo test test-kernel bench soak peers

# Traces a program with the stock tools and this daemon, and shows the trace.
demo: peers
	$(CARGO) build --release --locked
	demo/run.sh

# All tests. cargo-nextest runs them in processes of their own where it is installed.
test: peers
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace && $(CARGO) test --workspace --doc; \
	else \
		$(CARGO) test --workspace; \
	fi

# The kernel's domain, in a machine that has the tracer: each scenario with the stock daemon and with ours, what they
# answered and recorded compared. The first time the machine is prepared, which takes about four minutes.
test-kernel: peers
	$(CARGO) build --locked
	$(CARGO) build --locked --example timeline
	tests/kernel/compare
	tests/kernel/embedded

# Measures this daemon beside the stock one and writes what came out; takes about a quarter of an hour.
bench: peers
	$(CARGO) bench --bench load -- --report docs/performance.md

# Lets sessions live and die at random for MINUTES, and fails when something is left of them.
MINUTES ?= 15
soak: peers
	$(CARGO) bench --bench load -- --soak $(MINUTES)

peers:
	tools/install-peers.sh
