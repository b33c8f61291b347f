//! Namespaces, lines and processes. Each ends when its value is dropped.

use anyhow::{Context as _, bail};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The server's address. The client's two addresses are in networks 1 and 2.
pub const SERVER: &str = "10.77.0.2";
/// Where the server under test listens.
pub const PORT: u16 = 7777;
const CLIENT: &str = "10.77.1.2";

/// Server, router and client, with a second network from the router to the client.
pub struct Net {
    id: u32,
}

impl Net {
    pub fn make() -> anyhow::Result<Self> {
        let net = Self {
            id: std::process::id() % 100_000,
        };
        let (server, router, client) = (net.server(), net.router(), net.client());
        let steps = [
            format!("netns add {server}"),
            format!("netns add {router}"),
            format!("netns add {client}"),
            format!("-n {server} link set lo up"),
            format!("-n {router} link add rs type veth peer name s0 netns {server}"),
            format!("-n {router} link add rc0 type veth peer name c0 netns {client}"),
            format!("-n {router} link add rc1 type veth peer name c1 netns {client}"),
            format!("-n {server} addr add {SERVER}/24 dev s0"),
            format!("-n {router} addr add 10.77.0.1/24 dev rs"),
            format!("-n {router} addr add 10.77.1.1/24 dev rc0"),
            format!("-n {router} addr add 10.77.2.1/24 dev rc1"),
            format!("-n {client} addr add {CLIENT}/24 dev c0"),
            format!("-n {client} addr add 10.77.2.2/24 dev c1"),
            format!("-n {server} link set s0 up"),
            format!("-n {router} link set rs up"),
            format!("-n {router} link set rc0 up"),
            format!("-n {router} link set rc1 up"),
            format!("-n {client} link set c0 up"),
            format!("-n {client} link set c1 up"),
            format!("-n {server} route add default via 10.77.0.1"),
            format!("-n {client} route add default via 10.77.1.1"),
        ];
        for step in steps {
            ip(&step).context("this needs root, and the commands ip and tc")?;
        }
        net.sysctl(&router, "net.ipv4.ip_forward=1")?;
        Ok(net)
    }

    /// A second handle to the same network, to remove it from elsewhere.
    pub fn handle(&self) -> std::mem::ManuallyDrop<Self> {
        std::mem::ManuallyDrop::new(Self { id: self.id })
    }

    /// Ends what runs in the namespaces, and removes them.
    pub fn remove(&self) {
        for namespace in [self.client(), self.server(), self.router()] {
            let pids = Command::new("ip")
                .args(["netns", "pids", &namespace])
                .output();
            let pids = pids.map(|out| out.stdout).unwrap_or_default();
            for pid in String::from_utf8_lossy(&pids).split_whitespace() {
                let _ = command("kill", pid);
            }
            let _ = ip(&format!("netns del {namespace}"));
        }
    }

    pub fn server(&self) -> String {
        format!("twl{}s", self.id)
    }

    fn router(&self) -> String {
        format!("twl{}r", self.id)
    }

    pub fn client(&self) -> String {
        format!("twl{}c", self.id)
    }

    /// Sets the rate of the line to the client, with a tail-drop queue of 400 ms.
    pub fn set_rate(&self, kbit: u32) -> anyhow::Result<()> {
        let burst = (kbit * 1000 / 8 / 250).max(1600);
        self.tc(&format!(
            "qdisc replace dev rc0 root tbf rate {kbit}kbit burst {burst} latency 400ms"
        ))
    }

    fn tc(&self, arguments: &str) -> anyhow::Result<()> {
        command("tc", &format!("-n {} {arguments}", self.router()))
    }

    /// Bytes that went over the line so far, as the line counts them.
    pub fn line_bytes(&self) -> anyhow::Result<u64> {
        let out = Command::new("tc")
            .args(["-n", &self.router(), "-s", "qdisc", "show", "dev", "rc0"])
            .output()?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let mut words = text.split_whitespace().skip_while(|word| *word != "Sent");
        let bytes = words.nth(1).context("tc says nothing of bytes sent")?;
        Ok(bytes.parse()?)
    }

    /// Sets the congestion control of the server's namespace. Returns `false` if the kernel does not have it.
    pub fn set_congestion_control(&self, name: &str) -> bool {
        let setting = format!("net.ipv4.tcp_congestion_control={name}");
        self.sysctl(&self.server(), &setting).is_ok()
    }

    /// Silently drops everything in both directions.
    pub fn cut(&self) -> anyhow::Result<()> {
        let router = self.router();
        ip(&format!("-n {router} route replace blackhole {CLIENT}/32"))?;
        ip(&format!("-n {router} route replace blackhole {SERVER}/32"))
    }

    pub fn mend(&self) -> anyhow::Result<()> {
        let router = self.router();
        ip(&format!("-n {router} route del blackhole {CLIENT}/32"))?;
        ip(&format!("-n {router} route del blackhole {SERVER}/32"))
    }

    /// Removes the client's first network for good and sets up the second, with another source address.
    pub fn change_network(&self) -> anyhow::Result<()> {
        ip(&format!(
            "-n {} route replace blackhole {CLIENT}/32",
            self.router()
        ))?;
        let client = self.client();
        ip(&format!("-n {client} route replace default via 10.77.2.1"))?;
        ip(&format!("-n {client} link set c0 down"))
    }

    fn sysctl(&self, namespace: &str, setting: &str) -> anyhow::Result<()> {
        command(
            "ip",
            &format!("netns exec {namespace} sysctl -q -w {setting}"),
        )
    }

    /// A command to run in a namespace.
    pub fn within(namespace: &str, program: &PathBuf) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(program);
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    command("ip", arguments)
}

fn command(program: &str, arguments: &str) -> anyhow::Result<()> {
    let out = Command::new(program)
        .args(arguments.split(' '))
        .output()
        .with_context(|| format!("{program} cannot be run"))?;
    if !out.status.success() {
        bail!(
            "{program} {arguments}: {}",
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(())
}

/// A process that is killed when this value is dropped.
pub struct Process(Child);

impl Process {
    pub fn start(mut command: Command) -> anyhow::Result<Self> {
        Ok(Self(command.spawn()?))
    }

    /// Waits for the process, which ends by itself.
    pub fn wait(mut self) -> anyhow::Result<bool> {
        Ok(self.0.wait()?.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server in its namespace.
pub struct Server {
    process: Process,
}

impl Server {
    pub fn start(net: &Net, npcs: u32) -> anyhow::Result<Self> {
        Self::start_at(net, PORT, npcs)
    }

    /// Starts the server on a port of its own.
    pub fn start_at(net: &Net, port: u16, npcs: u32) -> anyhow::Result<Self> {
        let program = beside("tickwire-server")?;
        Self::ready(Net::within(&net.server(), &program), port, npcs)
    }

    /// Starts the server role of this binary whose rooms have a large map.
    pub fn start_with_map(net: &Net, port: u16) -> anyhow::Result<Self> {
        let mut command = Net::within(&net.server(), &beside("lines")?);
        command.arg("map-server");
        Self::ready(command, port, 0)
    }

    /// Starts the server role of this binary on a port of its own, with a window or with none.
    pub fn start_own(net: &Net, port: u16, npcs: u32, has_window: bool) -> anyhow::Result<Self> {
        let mut command = Net::within(&net.server(), &beside("lines")?);
        let window = if has_window { "window" } else { "open" };
        command.args(["server", window]);
        Self::ready(command, port, npcs)
    }

    fn ready(mut command: Command, port: u16, npcs: u32) -> anyhow::Result<Self> {
        command
            .args(["--listen", &format!("{SERVER}:{port}")])
            .args(["--ops-listen", &format!("127.0.0.1:{}", port + 2000)])
            .args(["--npcs", &npcs.to_string()])
            .stdout(Stdio::piped());
        let mut process = Process::start(command)?;
        let out = process.0.stdout.take().context("no output of the server")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        if !line.starts_with("tickwire ready") {
            bail!("the server does not start: {line}");
        }
        Ok(Self { process })
    }

    /// CPU time so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.0.id()));
        let stat = stat.unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let fields = after_name.split_whitespace().skip(11).take(2);
        // In hundredths of a second on every Linux.
        fields
            .filter_map(|ticks| ticks.parse::<f64>().ok())
            .sum::<f64>()
            / 100.0
    }
}

/// A program of the same build.
pub fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    if !program.exists() {
        bail!(
            "{} is missing: cargo build --release -p {name}",
            program.display()
        );
    }
    Ok(program)
}

/// Sends a GET from inside a namespace.
pub fn get(addr: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    Ok(body.to_owned())
}
