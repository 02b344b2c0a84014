//! The command line: arguments, settings, logger, then the service.

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use natter::{
    app, logging,
    metrics::panics,
    settings::{Overrides, Settings},
    store::{
        backup::{backup, rename_log, restore},
        migrate::{Direction, Step, migrate, status},
    },
};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// jemalloc keeps an idle session smaller than the system's allocator: 1.4 against 1.6 KiB.
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

Settings come from the defaults, then --config FILE, then the environment (NATTER_SECTION__KEY, for instance
NATTER_SERVER__PORT=8080; HOST, PORT, DATABASE_URL and RUST_LOG work too), then these flags.
`natter check-config` lists every key.

Exit codes: 0 stopped in good order, 1 failed, 2 wrong arguments, 78 faulty settings.";

const DATABASE_HELP: &str =
    "sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE [default: sqlite://data/natter.db?mode=rwc]";

#[derive(Args)]
struct Flags {
    /// A TOML file with the settings that differ from the defaults
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The IP address to listen on [default: 127.0.0.1]
    #[arg(long, global = true)]
    host: Option<String>,
    /// The port to listen on; 0 takes a free one [default: 3001]
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
    /// Print the settings in force, secrets masked, or every fault; exit code 78 where there is one
    CheckConfig,
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
    let settings = match Settings::load(&cli.flags.into_overrides(), utf8_environment()) {
        Ok(settings) => settings,
        Err(faults) => {
            for fault in faults {
                eprintln!("natter: {fault}");
            }
            return ExitCode::from(FAULTY_SETTINGS);
        }
    };
    if let Err(error) = logging::start(&settings.logging.filter) {
        eprintln!("natter: {error}");
        return ExitCode::FAILURE;
    }
    panics::install_hook();
    match actix::System::new().block_on(run(cli.command.unwrap_or(Command::Serve), &settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("natter: {}", one_sentence(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    match command {
        Command::Serve => app::serve(settings).await,
        Command::CheckConfig => print(&settings.to_toml()),
        Command::Backup { file } => {
            backup(&settings.database.url, &file).await?;
            print(&format!("copied {} into {}\n", settings.database.url, file.display()))
        }
        Command::Restore { file } => {
            let log_id = restore(&settings.database.url, &file).await?;
            print(&format!("restored {} from {}; its log is {log_id} now\n", settings.database.url, file.display()))
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
