//! Whose tokens were revoked.

use crate::UserId;
use sea_orm::entity::prelude::*;

/// A row of `revocations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "revocations")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// When, in milliseconds since 1970: tokens that were issued up to then hold no more.
    pub revoked_at: i64,
}

/// Refers to nothing by a foreign key.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
