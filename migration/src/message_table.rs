//! What the two message tables have in common: creating one, taking over one that Prisma made, and going back.

use sea_orm_migration::prelude::*;

/// One of the two tables, by what tells it from the other.
pub(crate) struct MessageTable {
    pub(crate) name: &'static str,
    pub(crate) conversation: &'static str,
    /// The columns of ids that may be null.
    pub(crate) nullable_ids: &'static [&'static str],
}

/// What Natter keeps beside the application's columns, with its type.
fn own_columns(postgres: bool) -> [(&'static str, &'static str); 7] {
    let (uuid, time) = if postgres { ("uuid", "timestamp(3)") } else { ("blob", "datetime") };
    [
        ("seq", "bigint"),
        ("client_id", uuid),
        ("version", "integer"),
        ("edited_at", time),
        ("edited_by", "bigint"),
        ("deleted_at", time),
        ("deleted_by", "bigint"),
    ]
}

/// Refuses tables that are there already and lack some of the columns that Prisma makes, with all that they lack.
pub(crate) async fn must_be_complete(tables: &[MessageTable], manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut faults = Vec::new();
    for table in tables {
        let missing = table.missing_columns(manager).await?;
        if !missing.is_empty() {
            let columns = if missing.len() == 1 { "column" } else { "columns" };
            faults.push(format!("the table {} is there already, but has no {columns} {}", table.name, missing.join(", ")));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(DbErr::Migration(faults.join("; "))) }
}

impl MessageTable {
    /// Those that Prisma makes; none where there is no such table.
    async fn missing_columns(&self, manager: &SchemaManager<'_>) -> Result<Vec<&'static str>, DbErr> {
        let mut missing = Vec::new();
        if manager.has_table(self.name).await? {
            let required = ["id", self.conversation, "sender_id", "content", "file_type", "file_paths", "created_at"];
            for column in required.iter().chain(self.nullable_ids) {
                if !manager.has_column(self.name, column).await? {
                    missing.push(*column);
                }
            }
        }
        Ok(missing)
    }

    /// Creates the table where there is none; else widens what Prisma made and adds Natter's own columns, all nullable.
    pub(crate) async fn up(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let postgres = manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Postgres;
        db.execute_unprepared(&if postgres { self.create_on_postgres() } else { self.create_on_sqlite() }).await?;
        if postgres {
            db.execute_unprepared(&self.widen_ids()).await?;
        }
        for (column, of_type) in own_columns(postgres) {
            if !manager.has_column(self.name, column).await? {
                db.execute_unprepared(&format!("ALTER TABLE {} ADD COLUMN {column} {of_type}", self.name)).await?;
            }
        }
        let (name, conversation) = (self.name, self.conversation);
        db.execute_unprepared(&format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS {name}_client_id_sender_id ON {name} (client_id, sender_id) WHERE client_id IS NOT NULL"
        ))
        .await?;
        db.execute_unprepared(&format!("CREATE INDEX IF NOT EXISTS {name}_{conversation}_id ON {name} ({conversation}, id)"))
            .await?;
        Ok(())
    }

    /// Takes Natter's own columns back. The table stays: its rows are the application's.
    pub(crate) async fn down(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let (name, conversation) = (self.name, self.conversation);
        db.execute_unprepared(&format!("DROP INDEX IF EXISTS {name}_{conversation}_id")).await?;
        db.execute_unprepared(&format!("DROP INDEX IF EXISTS {name}_client_id_sender_id")).await?;
        for (column, _) in own_columns(false) {
            if manager.has_column(name, column).await? {
                db.execute_unprepared(&format!("ALTER TABLE {name} DROP COLUMN {column}")).await?;
            }
        }
        Ok(())
    }

    fn create_on_sqlite(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                {} INTEGER NOT NULL,
                sender_id INTEGER NOT NULL,
                content TEXT NOT NULL,
                file_type TEXT,
                file_paths TEXT,
                {}
                created_at DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))",
            self.name,
            self.conversation,
            self.nullable_id_columns("INTEGER"),
        )
    }

    fn create_on_postgres(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (
                id BIGSERIAL PRIMARY KEY,
                {} BIGINT NOT NULL,
                sender_id BIGINT NOT NULL,
                content TEXT NOT NULL,
                file_type TEXT,
                file_paths TEXT,
                {}
                created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'utc'))",
            self.name,
            self.conversation,
            self.nullable_id_columns("BIGINT"),
        )
    }

    fn nullable_id_columns(&self, of_type: &str) -> String {
        let columns: Vec<String> = self.nullable_ids.iter().map(|column| format!("{column} {of_type},")).collect();
        columns.concat()
    }

    /// Prisma's `Int` is 32 bits wide on PostgreSQL. Where the columns are wide already, nothing is rewritten.
    fn widen_ids(&self) -> String {
        let columns: Vec<String> = ["id", self.conversation, "sender_id"]
            .iter()
            .chain(self.nullable_ids)
            .map(|column| format!("ALTER COLUMN {column} TYPE BIGINT"))
            .collect();
        let (name, columns) = (self.name, columns.join(", "));
        format!(
            "ALTER TABLE {name} {columns};
            DO $$ BEGIN
                IF (SELECT attidentity = '' FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attname = 'id')
                    AND pg_get_serial_sequence('{name}', 'id') IS NOT NULL THEN
                    EXECUTE format('ALTER SEQUENCE %s AS BIGINT', pg_get_serial_sequence('{name}', 'id'));
                END IF;
            END $$"
        )
    }
}
