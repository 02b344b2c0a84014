#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| natter_fuzz::file_name::run(input));
