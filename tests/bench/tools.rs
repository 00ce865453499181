//! Other programs and the machine: run with an error that is a sentence, and described for the table's head.

use std::process::{Command, Output, Stdio};

/// What is going on, for who waits; the table goes to standard output alone.
pub fn progress(line: &str) {
    eprintln!("cost: {line}");
}

/// The parts that were asked for, as they were typed.
pub fn arguments() -> String {
    let parts: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if parts.is_empty() { String::new() } else { format!("-- {}", parts.join(" ")) }
}

/// Runs a program to its end; its failure is an error with the end of what it said.
pub fn run(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start {name}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let last = lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n");
    Err(format!("{name} ended with {}:\n{last}", output.status))
}

/// Says what to install when a program is not there.
pub fn need(program: &str, package: &str) -> Result<(), String> {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match there {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{program} is needed ({error}); on Debian say: apt-get install {package}")),
    }
}

/// Kernel, architecture and processors.
pub fn machine() -> String {
    let uname = run(Command::new("uname").arg("-srm")).map(|output| text(&output.stdout)).unwrap_or_default();
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{}, {count} x {}", uname.trim(), model.map_or("processor", |(_, model)| model))
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The number behind `name` in a file of lines such as `VmRSS:   512 kB`.
pub fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
