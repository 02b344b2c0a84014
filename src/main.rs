//! The command line: arguments, settings, logger, then the service.

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand, error::ErrorKind};
use natter::{
    app,
    clock::Clock,
    demo::{self, Demo},
    load::{self, Load, ResultFile, Signer},
    logging,
    metrics::panics,
    protocol::{Caller, Role, UserId, fields::MAX_ID},
    settings::{Overrides, Secret, Settings, Verdict},
    store::{
        backup::{backup, rename_log, restore},
        migrate::{Direction, Step, migrate, status},
    },
};
use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// jemalloc keeps an idle session smaller than the system's allocator. On Linux, SQLite has its memory from it, too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What sysexits.h calls `EX_CONFIG`.
const FAULTY_SETTINGS: u8 = 78;

#[derive(Parser)]
#[command(version, about = ABOUT, long_about = format!("{ABOUT}\n\n{FIRST_RUN}"), after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

const ABOUT: &str = "Self-hosted real-time messaging: chat, support chat and online status over WebSocket, in one binary";

const FIRST_RUN: &str = "\
Without arguments it serves on ws://127.0.0.1:3001/ws-online-status with SQLite in data/, and a page to try it at
http://127.0.0.1:3001/.";

const AFTER_HELP: &str = "\
Examples:
  natter                                               serve with the defaults
  natter --port 8080 --database-url postgres://user:password@localhost/app
  natter --config natter.toml check-config             what is in force, and every fault at once
  natter --config natter.toml check-config --production   what is not fit for the open internet, and what to change
  natter token --user 7 --role agent --expires 1h      a token for development, where auth.hs256_secret is set

Settings come from the defaults, then --config FILE, then the environment (NATTER_SECTION__KEY, for instance
NATTER_SERVER__PORT=8080; HOST, PORT, DATABASE_URL and RUST_LOG work too), then these flags.
`natter check-config` lists every key.

Exit codes: 0 stopped in good order, 1 failed, 2 wrong arguments, 78 faulty settings.";

const DEMO_HELP: &str = "\
Fill an empty database with chat and support conversations of the last thirty days, edits and deletions included, as if
they had been posted: each message has its place in the log, and clients resume and page through them. It refuses a
database that has messages, and a SQLite file that is being served. Ctrl-C ends it after the batch that is being stored.";

const DEMO_EXAMPLES: &str = "\
Examples:
  natter --database-url 'sqlite://demo.db?mode=rwc' demo      2,000 messages to look at
  natter --database-url 'sqlite://demo.db?mode=rwc'           serve them: http://127.0.0.1:3001/
  natter --database-url 'sqlite://big.db?mode=rwc' demo --messages 1000000 --conversations 1000 --users 5000";

const LOAD_HELP: &str = "\
Open many sessions on a running server, have some of them write, and tell how soon all of them were told, whether anything
was lost, came twice or out of order, and what it cost the server. It writes real messages: use a server and a database of
their own, without limits (NATTER_LIMITS__ENABLED=false), built with --release, and best another machine, or other cores, for
the server than for this command.

With --rate, messages are due on a schedule, and times count from when a message was due, not from when it could be
written: a server that stalls is not asked less, so what users would have waited is in the figures. With --window, each
sender writes the next message when one is answered, which shows how much the server can do, and times count from the write.
What is written to warm up (--warm-up) is in the counts, and in no rate and no time.

With --conversations N and --members M, each session is a member of one of N conversations, N × M sessions in all, and is owed
what is written there: what it gets of others is a fault. The members are added first, by the server's HTTP API and one of its
api.keys (--key). Conversations that have other members already are left alone, and the run ends.

`natter load` itself takes about one core for 100,000 deliveries a second that come one by one, or for some millions that come
together; the result says how much it used (\"generator\"). The exit code is 1 where anything was lost, duplicated, out of order, told to
whom it is not for, unanswered, or closed by the server.";

const LOAD_EXAMPLES: &str = "\
Examples:
  natter load --sessions 1000 --rate 50 --senders 1 --pid $(pidof natter)      a full room: 50,000 deliveries a second
  natter load --sessions 10 --window 64                                        how many messages it stores a second
  natter load --sessions 10000 --rate 0                                        what idle sessions cost in memory
  natter load --url ws://10.0.0.7:3001/ws-online-status --token-secret         with tokens, signed by auth.hs256_secret
  natter load --conversations 1000 --members 10 --key \"$KEY\" --rate 1000           10,000 sessions in rooms of ten
  natter load --sessions 1000 --rate 50 --json - | jq .latency_ms.delivery

Start the server with RUST_LOG=warn for it: the three lines of the log that a message has at info cost as much as storing it,
where thousands are written a second.

What to look at: \"until delivered\" p99 is what users feel; µs a delivery tells how many deliveries a core carries;
\"lost\" must be 0. Raise --rate until p99 leaves what you can accept: that is the size of this installation.";

const DATABASE_HELP: &str = "sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE [environment: DATABASE_URL] [default: sqlite://data/natter.db?mode=rwc]";

#[derive(Args)]
#[command(next_help_heading = "Settings, for every command; they win over the environment, and that over the file")]
struct Flags {
    /// A TOML file with the settings that differ from the defaults [default: none is read]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The IP address to listen on [environment: HOST] [default: 127.0.0.1]
    #[arg(long, global = true)]
    host: Option<String>,
    /// The port to listen on; 0 takes a free one [environment: PORT] [default: 3001]
    #[arg(long, global = true)]
    port: Option<String>,
    #[arg(long, global = true, value_name = "URL", help = DATABASE_HELP)]
    database_url: Option<String>,
}

#[derive(Subcommand, Clone)]
enum Command {
    /// Run the service (the default)
    Serve,
    /// Bring the database's schema up to date, take its last step back, or tell where it stands; `serve` brings it up by itself
    Migrate {
        #[command(subcommand)]
        direction: MigrateCommand,
    },
    /// Copy the SQLite database into FILE, also while it is being served
    Backup {
        /// Where to; it must not be there
        file: PathBuf,
    },
    /// Put a copy made by `backup` in the database's place, which must be free; clients that come back load history afresh
    Restore {
        /// The copy
        file: PathBuf,
    },
    /// Give the log another name after a restore by other means (PostgreSQL's `pg_restore`), so that old cursors are recognised
    RenameLog,
    /// Fill an empty database with conversations to look at, or a million messages to measure with
    #[command(long_about = DEMO_HELP, after_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Load a running server with sessions that write and read, and tell how soon they are told and what it costs
    #[command(long_about = LOAD_HELP, after_help = LOAD_EXAMPLES)]
    Load(Box<Load>),
    /// Print a token for development, signed with `auth.hs256_secret`
    Token {
        /// The user's id
        #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..=MAX_ID))]
        user: i64,
        /// user, agent or admin
        #[arg(long, default_value = "user")]
        role: Role,
        /// For how long it holds: 90s, 15m, 1h, 30days
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime, allow_hyphen_values = true)]
        expires: Duration,
    },
    /// Print the settings in force, secrets masked, or every fault; exit code 78 where there is one
    CheckConfig {
        /// Tell instead what is not fit for production, and what to change; exit code 78 where something is unsafe
        #[arg(long)]
        production: bool,
    },
}

#[derive(Subcommand, Clone, Copy)]
enum MigrateCommand {
    /// Apply the steps that are missing
    Up,
    /// Take the last step back; messages stay
    Down,
    /// Tell which steps are applied
    Status,
}

/// Of a token for development.
fn lifetime(text: &str) -> Result<Duration, &'static str> {
    const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);
    match humantime::parse_duration(text) {
        Ok(lifetime) if lifetime.as_secs() > 0 && lifetime <= LONGEST => Ok(lifetime),
        Ok(_) | Err(_) => Err("a time is a number with its unit, such as 90s, 15m, 1h or 30days: from 1s to 3650days"),
    }
}

impl Flags {
    fn into_overrides(self) -> Overrides {
        let flags = [
            ("server.host", self.host, "--host"),
            ("server.port", self.port, "--port"),
            ("database.url", self.database_url, "--database-url"),
        ];
        let given = flags.into_iter().filter_map(|(key, value, flag)| value.map(|value| (key, value, flag)));
        Overrides { config: self.config, flags: given.collect() }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Load(load)) = &cli.command
        && let Err(fault) = load.check()
    {
        let mut cli = Cli::command();
        cli.build();
        let load = cli.find_subcommand_mut("load").expect("it was asked for");
        load.error(ErrorKind::ValueValidation, fault).exit();
    }
    let settings = match Settings::load(&cli.flags.into_overrides(), utf8_environment()) {
        Ok(settings) => settings,
        Err(faults) => {
            for fault in faults {
                eprintln!("natter: {fault}");
            }
            return ExitCode::from(FAULTY_SETTINGS);
        }
    };
    let command = cli.command.unwrap_or(Command::Serve);
    if let Command::CheckConfig { production: true } = command
        && is_unfit(&settings)
    {
        return ExitCode::from(FAULTY_SETTINGS);
    }
    if let Err(error) = logging::start(&settings.logging.filter) {
        eprintln!("natter: {error}");
        return ExitCode::FAILURE;
    }
    panics::install_hook();
    match actix::System::new().block_on(run(command, &settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("natter: {}", one_sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// Tells what is not fit for production, and whether any of it is unsafe.
fn is_unfit(settings: &Settings) -> bool {
    let findings = settings.for_production();
    for (verdict, fault) in &findings {
        eprintln!("natter: {verdict}: {fault}");
    }
    findings.iter().any(|(verdict, _)| *verdict == Verdict::Unsafe)
}

async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    match command {
        Command::Serve => app::serve(settings).await,
        Command::CheckConfig { production: false } => print(&settings.to_toml()),
        Command::CheckConfig { production: true } => print("fit for production, as far as the settings tell\n"),
        Command::Demo(demo) => {
            demo::fill(&settings.database.url, demo, Clock::system(), interrupted()).await?;
            print(&format!("{} is filled; natter with the same settings serves it\n", settings.database.url))
        }
        Command::Load(options) => measured(&options, settings).await,
        Command::Backup { file } => {
            backup(&settings.database.url, &file).await?;
            print(&format!("copied {} into {}\n", settings.database.url, file.display()))
        }
        Command::Restore { file } => {
            let log_id = restore(&settings.database.url, &file).await?;
            print(&format!("restored {} from {}; its log is {log_id} now\n", settings.database.url, file.display()))
        }
        Command::Token { user, role, expires } => {
            let caller = Caller { user: UserId(user), role };
            print(&format!("{}\n", app::development_token(settings, caller, expires)?))
        }
        Command::RenameLog => print(&format!("the log is {} now\n", rename_log(&settings.database.url).await?)),
        Command::Migrate { direction } => {
            let url = &settings.database.url;
            let steps = match direction {
                MigrateCommand::Up => migrate(url, Direction::Up).await?,
                MigrateCommand::Down => migrate(url, Direction::Down).await?,
                MigrateCommand::Status => status(url).await?,
            };
            print(&steps.iter().map(line).collect::<String>())
        }
    }
}

/// Loads a server, and shows what came of it.
async fn measured(options: &Load, settings: &Settings) -> anyhow::Result<()> {
    let secret = settings.auth.secret.as_ref().map(Secret::as_bytes);
    let signer = Signer { secret, rules: &settings.auth.rules, clock: Clock::system() };
    let listening = SocketAddr::new(settings.server.host, settings.server.port);
    let path = options.json.as_deref().filter(|path| path.as_os_str() != "-");
    let unwritable = |path: &Path| format!("can't write to {}", path.display());
    let file = path.map(|path| ResultFile::open(path).with_context(|| unwritable(path))).transpose()?;
    let report = load::run(options, listening, &signer, interrupted()).await?;
    let json = || serde_json::to_string(&report).map(|json| json + "\n");
    match path.zip(file) {
        None if options.json.is_some() => print(&json()?)?,
        None => print(&report.to_text())?,
        Some((path, file)) => {
            file.write(&json()?).with_context(|| unwritable(path))?;
            print(&report.to_text())?;
        }
    }
    report.fault().map_or(Ok(()), |fault| Err(anyhow::anyhow!(fault)))
}

/// Resolves with Ctrl-C; where the system can't tell of it, never.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The error with its causes, each said once: some of ours name their cause themselves.
fn one_sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence.push_str(if sentence.is_empty() { "" } else { ": " });
            sentence.push_str(&cause);
        }
    }
    sentence
}

fn line(step: &Step) -> String {
    format!("{}  {}\n", if step.applied { "applied" } else { "missing" }, step.name)
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("can't write to standard output")
}

/// Variables that are no text can't be settings.
fn utf8_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
