#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    wayside_fuzz::targets::run("code_text", data);
});
