//! The suite for SQLite, and what is its own: groups, crashes, locks, damage,
//! the commented schema.

mod crash;
mod files;
mod group;
mod inline;
mod migrate;
mod power;
mod schema;
mod workers;

use tempfile::TempDir;

use crate::conformance::{NOW, conformance};
use crate::{Opening, Store};

fn fresh() -> (Store, TempDir) {
    let directory = TempDir::new().unwrap();
    let store = Store::open(directory.path(), Opening::Serve, NOW).unwrap();
    (store, directory)
}

conformance! { fresh:
    delivery {
        what_was_judged_is_kept_with_its_verdict,
        a_second_delivery_stores_nothing,
        the_same_message_reaches_every_recipient,
        the_same_seal_over_other_content_is_refused,
        a_better_way_takes_the_place_of_a_worse,
        what_was_put_there_is_never_verified,
        over_quota_nothing_is_stored_or_remembered,
        what_is_removed_is_no_longer_charged,
        large_bodies_are_read_in_ranges,
        an_account_that_is_gone_is_said,
    }
    mailbox {
        every_account_begins_with_its_mailboxes,
        a_mailbox_made_anew_is_seen_to_be_new,
        renaming_takes_the_levels_below_along,
        flags_change_and_modseq_tells,
        expunged_messages_are_told,
        copies_carry_the_verdict,
        who_watches_is_told,
    }
    credential {
        a_token_logs_in_until_it_is_revoked,
        a_token_is_proved_by_scram,
        a_code_is_valid_for_seven_days_and_as_typed,
    }
    certificate {
        every_version_is_kept_and_the_newest_served,
        another_primary_needs_a_transition_or_a_reset,
        a_version_made_over_an_older_one_is_not_kept,
        what_is_hard_is_not_served,
        the_code_ends_by_the_first_login_with_the_token,
        a_code_to_add_keeps_the_primary_and_stays_valid,
        the_key_of_a_removed_account_is_hard,
    }
    queue {
        an_entry_comes_back_as_it_was_put,
        what_copies_were_made_of_stays_while_they_do,
        a_claim_that_was_lost_settles_nothing,
        a_settled_entry_goes_with_its_report,
        sealed_again_it_has_the_new_octets,
        who_is_held_waits_again_only_when_that_is_said,
        a_second_settlement_of_one_claim_is_none,
        a_domain_has_a_few_deliveries_at_a_time,
        a_domain_that_took_nothing_yet_is_tried_with_one,
        a_domain_in_trouble_has_one_probe,
        a_message_that_breaks_its_domain_does_not_stand_in_the_way,
        whose_time_is_over_waits_for_no_domain,
        what_is_held_leaves_when_it_is_released,
        a_claim_is_renewed_and_its_message_prepared_while_it_holds,
        leases_end_with_the_server_that_held_them,
        the_queue_is_listed_in_pages,
        the_newest_attempts_are_kept,
        a_settlement_brings_reports_for_others_with_it,
    }
    tls_count {
        tls_is_counted_by_day,
    }
    mediator {
        many_entries_share_a_body_behind_what_is_each_ones_own,
        one_address_names_one_thing,
        a_list_has_its_members,
        what_is_passed_on_goes_once,
        a_better_way_passes_on_again,
        nothing_is_passed_on_when_the_copy_finds_no_room,
        an_author_is_told_once,
        a_sender_is_told_once,
        an_answer_is_given_once,
        what_is_held_is_found_by_its_group,
    }
    memory {
        a_domain_is_remembered,
        a_policy_is_remembered,
        what_is_in_force_is_never_forgotten,
        an_answer_is_remembered_by_its_question,
        a_held_key_stands_beside_the_known_one,
        an_author_is_known_once_mail_was_stored,
        a_domain_is_met_by_its_ordinary_mail,
        blocks_belong_to_their_scope,
        settings_are_set_together,
        who_sealed_is_remembered_by_whom_it_reached,
        a_report_of_an_ordinary_hop_is_taken_once,
    }
}
