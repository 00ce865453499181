//! The static programs that are measured, and the folders that they run in.

use crate::tools;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The static program for the machine that measures.
const TARGET: &str = match std::env::consts::ARCH.as_bytes() {
    b"aarch64" => "aarch64-unknown-linux-musl",
    b"arm" => "arm-unknown-linux-musleabihf",
    _ => "x86_64-unknown-linux-musl",
};
/// The build that can be told to trust the loopback exchange's certificate.
const SYSTEM_ROOTS: &str = "system-roots";

/// A folder without authorities.
const NONE: &str = "no-authorities";

/// The two builds.
pub struct Programs {
    /// As it is shipped.
    pub shipped: PathBuf,
    /// With the system's certificate store instead of the built-in one.
    pub system_roots: PathBuf,
    /// What they were built with.
    pub compiler: String,
}

impl Programs {
    /// Builds both with `cross/build.sh`.
    pub fn build() -> Result<Programs, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let build = |features: &str| -> Result<String, String> {
            tools::progress(&format!("building for {TARGET} {features}"));
            let mut script = Command::new(root.join("cross/build.sh"));
            // What cargo told this benchmark about itself is not for the compiler that the script starts.
            for (name, _) in std::env::vars_os() {
                let text = name.to_string_lossy();
                if text == "LD_LIBRARY_PATH" || text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                    script.env_remove(&name);
                }
            }
            let output = tools::run(script.arg(TARGET).env("REBALANCER_FEATURES", features))?;
            Ok(tools::text(&output.stderr))
        };
        // The shipped one last: cargo's own copy in its folder is then the usual one.
        build(SYSTEM_ROOTS)?;
        let said = build("")?;
        let route = said.lines().find_map(|line| line.strip_prefix("cross/build.sh: route: "));
        let folder = root.join("target").join(TARGET).join("release");
        Ok(Programs {
            shipped: folder.join("rebalancer"),
            system_roots: folder.join(format!("rebalancer-{SYSTEM_ROOTS}")),
            compiler: route.unwrap_or("unknown").to_string(),
        })
    }

    /// Target and size of the shipped one.
    pub fn describe(&self) -> Result<String, String> {
        let size = fs::metadata(&self.shipped).map_err(|error| format!("{}: {error}", self.shipped.display()))?.len();
        Ok(format!("{TARGET}, static, {} bytes", crate::table::number(size)))
    }
}

/// A folder with a config, removed in the end. It is under `target/`, which is on a disk, not in memory as `/tmp` may be.
pub struct Home(PathBuf);

impl Home {
    /// An empty folder.
    pub fn new(name: &str) -> Result<Home, String> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cost-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Home(path))
    }

    /// A folder with this `config.json`.
    pub fn with(name: &str, config: &str) -> Result<Home, String> {
        let home = Home::new(name)?;
        home.write("config.json", config)?;
        Ok(home)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> Result<(), String> {
        fs::write(self.file(name), text).map_err(|error| format!("cannot write {name}: {error}"))
    }

    /// Makes the program trust these authorities alone, or the system's folder of them as well.
    pub fn trust(&self, authorities: &str, and_system: bool) -> Result<(), String> {
        self.write("trusted.pem", authorities)?;
        if and_system {
            return Ok(());
        }
        fs::create_dir_all(self.file(NONE)).map_err(|error| format!("cannot make a folder: {error}"))
    }

    /// What is in a file; nothing when there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    pub fn forget(&self, name: &str) {
        let _ = fs::remove_file(self.file(name));
    }

    /// `program` here, with a key for the loopback exchange, and what it was told to trust. Its log goes to `log`.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command, String> {
        let log = fs::File::create(self.file("log")).map_err(|error| format!("cannot write a log: {error}"))?;
        let mut command = Command::new(program);
        command
            .current_dir(&self.0)
            .env("REBALANCER_API_KEY", "test-key")
            .env("REBALANCER_API_SECRET", "test-secret")
            .env("SSL_CERT_FILE", self.file("trusted.pem"))
            .env_remove("REBALANCER_CREDENTIALS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if self.file(NONE).exists() {
            command.env("SSL_CERT_DIR", self.file(NONE));
        }
        Ok(command)
    }

    /// Starts `program` here.
    pub fn start(&self, program: &Path, args: &[&str]) -> Result<Running, String> {
        Running::spawn(self.command(program)?.args(args))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that does not outlive this value.
pub struct Running(Child);

impl Running {
    pub fn spawn(command: &mut Command) -> Result<Running, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.spawn().map(Running).map_err(|error| format!("cannot start {name}: {error}"))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Its exit code once it has ended; -1 for a signal.
    pub fn ended(&mut self) -> Result<Option<i32>, String> {
        let status = self.0.try_wait().map_err(|error| format!("cannot watch a process: {error}"))?;
        Ok(status.map(|status| status.code().unwrap_or(-1)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
