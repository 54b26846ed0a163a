//! The flags of the binary.

use clap::Parser;

/// A small shop that the example scenarios load.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// Port to listen on; 0 takes any free port and the log tells which.
    #[arg(long, default_value_t = 8001)]
    pub(crate) port: u16,

    /// Address or name of the interface to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_flags_it_is_the_address_of_the_examples() {
        let cli = Cli::parse_from(["shop"]);
        assert_eq!((cli.host.as_str(), cli.port), ("127.0.0.1", 8001));
    }
}
