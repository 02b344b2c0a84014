//! The head of the event log: one row, whose lock makes commit order and `seq` order the same on any number of nodes.

use crate::Seq;
use sea_orm::entity::prelude::*;

/// The only row of `log_head`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "log_head")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i16,
    /// Names this log; a restored backup gets a new one, so that old cursors are recognised.
    pub log_id: Uuid,
    /// The `seq` of the last committed event, 0 before the first.
    pub seq: Seq,
}

/// Refers to nothing.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
