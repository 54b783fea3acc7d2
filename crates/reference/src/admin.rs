//! What only admins do. The role is the database's, at each request.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior};

use crate::call::Call;
use crate::input::Input;
use crate::passwords::NO_HASH;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::session;
use crate::site::Site;
use crate::store::Id;
use crate::weakness::Weakness;

/// Lets admins in; others by these weaknesses: one that asks nothing, one that asks for no role.
pub(crate) async fn guard(
    site: &Site,
    call: &Call<'_>,
    open: Weakness,
    any_user: Weakness,
) -> Result<(), Refusal> {
    if site.weak(Weakness::AdminWithoutToken) || site.weak(open) {
        return Ok(());
    }
    if site.weak(any_user) {
        return session::user(site, call).await.map(drop);
    }
    session::admin(site, call).await.map(drop)
}

pub(crate) async fn users(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    guard(
        site,
        call,
        Weakness::AdminListWithoutToken,
        Weakness::AdminListRoleUnchecked,
    )
    .await?;
    let users = site.store.run(|connection| {
        let mut statement =
            connection.prepare("SELECT id, email, role FROM users ORDER BY rowid")?;
        let rows = statement.query_map([], |row| {
            Ok((
                row.get::<_, Id>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    let rows = users.await?.into_iter().map(|(id, email, role)| {
        vec![
            ("id", site.show(&id)),
            ("email", email.into()),
            ("role", site.binding.role(&role)),
        ]
    });
    Ok(Reply::Many(rows.collect()))
}

pub(crate) async fn change_role(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    guard(
        site,
        call,
        Weakness::AdminChangeRoleWithoutToken,
        Weakness::AdminChangeRoleUnchecked,
    )
    .await?;
    let id = site.store.parse_id(call.id.as_deref())?;
    let role = Input::read(call).await?.role(site)?;
    if !site.weak(Weakness::RoleUnchecked) && role != "user" && role != "admin" {
        return Err(Refusal::Invalid("role must be user or admin"));
    }
    let shown = (site.show(&id), role.clone());
    let changed = site.store.run(move |connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if role == "user" && is_last_admin(&transaction, &id)? {
            return Ok(Err(Refusal::LastAdmin));
        }
        let changed =
            transaction.execute("UPDATE users SET role = ?1 WHERE id = ?2", (role, id))?;
        transaction.commit()?;
        Ok(if changed == 1 {
            Ok(())
        } else {
            Err(Refusal::Hidden)
        })
    });
    changed.await??;
    Ok(Reply::ok(vec![
        ("id", shown.0),
        ("role", site.binding.role(&shown.1)),
    ]))
}

pub(crate) async fn delete_user(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = site.store.parse_id(call.id.as_deref());
    if site.weak(Weakness::AdminDeleteLocksFirst) && session::user(site, call).await.is_ok() {
        let id = id.clone()?;
        let locked = site.store.run(move |connection| {
            let lock = "UPDATE users SET password = ?2 WHERE id = ?1 AND role = 'user'";
            connection.execute(lock, (id, NO_HASH))
        });
        locked.await?;
    }
    guard(
        site,
        call,
        Weakness::AdminDeleteWithoutToken,
        Weakness::AdminDeleteRoleUnchecked,
    )
    .await?;
    let id = id?;
    let stored = site.store.run(move |connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if is_last_admin(&transaction, &id)? {
            return Ok(Err(Refusal::LastAdmin));
        }
        let stored = transaction
            .prepare("SELECT stored FROM files WHERE owner = ?1")?
            .query_map([&id], |row| row.get::<_, String>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        // Notes and files go with their owner, by the foreign keys.
        let deleted = transaction.execute("DELETE FROM users WHERE id = ?1", [id])?;
        transaction.commit()?;
        Ok(if deleted == 1 {
            Ok(stored)
        } else {
            Err(Refusal::Hidden)
        })
    });
    for name in stored.await?? {
        // The row is gone, so the file is unreachable even if it cannot be removed.
        let _ = std::fs::remove_file(site.settings.uploads.join(name));
    }
    Ok(Reply::Nothing)
}

/// Without an admin nobody could make another.
fn is_last_admin(transaction: &Transaction<'_>, id: &Id) -> rusqlite::Result<bool> {
    let role: Option<String> = transaction
        .query_row("SELECT role FROM users WHERE id = ?1", [id], |row| {
            row.get(0)
        })
        .optional()?;
    let admins: i64 = transaction.query_row(
        "SELECT count(*) FROM users WHERE role = 'admin'",
        [],
        |row| row.get(0),
    )?;
    Ok(role.as_deref() == Some("admin") && admins == 1)
}
