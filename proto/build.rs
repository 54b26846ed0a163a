//! Compiles the contract with `protox`, so that no `protoc` needs to be installed.

use std::error::Error;
use std::path::PathBuf;

use protox::prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["sentinel/v1/load_control.proto"];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // Chunks of files share the memory of the file until they are written to the connection.
    tonic_prost_build::configure().bytes(".sentinel.v1.FileChunk.content").compile_fds(descriptors)?;
    Ok(())
}
