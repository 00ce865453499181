//! The program: arguments in, exit code out. See the library for everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(rebalancer::command::run(std::env::args_os().skip(1).collect()))
}
