//! Inserts messages and their events into a database that `natter migrate up` has prepared, so many rows a statement and transaction,
//! one transaction after the other: `postgres-floor URL ROWS SECONDS`. What it reaches is what one connection can store at all.

use std::{
    error::Error,
    time::{Duration, Instant, SystemTime},
};
use tokio_postgres::{Client, NoTls, types::ToSql};

/// The columns that Natter sets; `client_id`, which classic clients do not have, is null by itself.
const MESSAGE: [&str; 9] = [
    "id",
    "chat_id",
    "sender_id",
    "content",
    "file_type",
    "file_paths",
    "selected_chat_id",
    "created_at",
    "seq",
];
const EVENT: [&str; 8] =
    ["seq", "kind", "conversation_kind", "conversation_id", "message_id", "user_id", "detail", "created_at"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, rows, seconds] = arguments.as_slice() else { return Err("postgres-floor URL ROWS SECONDS".into()) };
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connected = tokio::spawn(connection);
    let (rows, lasting) = (rows.parse()?, Duration::from_secs(seconds.parse()?));
    store(&client, rows, lasting / 5).await?;
    let before = cpu_seconds()?;
    let (count, took) = store(&client, rows, lasting).await?;
    let cpu = cpu_seconds()? - before;
    drop(client);
    connected.await??;
    let per_second = count as f64 / took.as_secs_f64();
    println!("{}", serde_json::json!({ "rows": rows, "messages_per_s": per_second, "cpu_us_per_message": cpu * 1e6 / count as f64 }));
    Ok(())
}

/// How many messages were stored, and in what time.
async fn store(client: &Client, rows: usize, lasting: Duration) -> Result<(usize, Duration), tokio_postgres::Error> {
    let messages = client.prepare(&insertion("messages", &MESSAGE, rows)).await?;
    let events = client.prepare(&insertion("events", &EVENT, rows)).await?;
    let head = client.prepare("UPDATE log_head SET seq = seq + $1 WHERE id = 1 RETURNING seq").await?;
    let content = "x".repeat(100);
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < lasting {
        client.batch_execute("BEGIN").await?;
        let count_of_batch = i64::try_from(rows).unwrap_or(i64::MAX);
        let last: i64 = client.query_one(&head, &[&count_of_batch]).await?.get(0);
        let places: Vec<i64> = (last - count_of_batch + 1..=last).collect();
        let (now, at) = (SystemTime::now(), 1_800_000_000_000_i64);
        let mut values: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(rows * MESSAGE.len());
        for place in &places {
            values.extend_from_slice(&[place, &1_i64, &7_i64, &content, &None::<&str>, &None::<&str>, &None::<i64>, &now, place]);
        }
        client.execute(&messages, &values).await?;
        values.clear();
        for place in &places {
            values.extend_from_slice(&[place, &1_i16, &1_i16, &1_i64, place, &None::<i64>, &None::<&str>, &at]);
        }
        client.execute(&events, &values).await?;
        client.batch_execute("COMMIT").await?;
        count += rows;
    }
    Ok((count, began.elapsed()))
}

fn insertion(table: &str, columns: &[&str], rows: usize) -> String {
    let row = |row| (1..=columns.len()).map(|place| format!("${}", row * columns.len() + place)).collect::<Vec<_>>().join(", ");
    let rows: Vec<String> = (0..rows).map(|number| format!("({})", row(number))).collect();
    format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), rows.join(", "))
}

/// What this process has used so far, kernel included.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = after_name.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}
