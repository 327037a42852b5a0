//! Exports from the program what clock plugins of LTTng-UST call, see `src/clock_plugin/api.rs`.

const CALLBACKS: [&str; 5] = ["read64", "freq", "uuid", "name", "description"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    export("lttng_ust_enable_trace_clock_override");
    for callback in CALLBACKS {
        export(&format!("lttng_ust_trace_clock_set_{callback}_cb"));
        export(&format!("lttng_ust_trace_clock_get_{callback}_cb"));
    }
}

fn export(symbol: &str) {
    println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol={symbol}");
}
