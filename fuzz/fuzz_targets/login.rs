#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trunkline::internals::fuzz::login(data));
