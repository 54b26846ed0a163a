//! What every HTTP path of the worker must do, over real sockets.
//!
//! A test is a function of a [`path::Path`]. [`conformance!`] lists them, subject by subject, and runs those of the
//! subjects that a path takes part in; a test that is listed nowhere is an unused function, which is a warning. To put
//! another path under test is one line at the end of this file and an implementation of [`path::Path`].

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authority;
mod bodies;
mod compression;
mod connections;
mod cookies;
mod failures;
mod h2_target;
mod http2;
mod path;
mod proxies;
mod redirects;
mod requests;
mod target;
mod tls;

macro_rules! tests {
    ($path:ty, $subject:ident: $($test:ident)*) => {
        mod $subject {
            $(#[tokio::test]
            async fn $test() {
                crate::$subject::$test::<$path>().await;
            })*
        }
    };
}

macro_rules! conformance {
    ($name:ident, $path:ty: $($subject:ident)*) => {
        mod $name {
            $(conformance!(@$subject $path);)*
        }
    };
    (@requests $path:ty) => {
        tests!($path, requests:
            every_method_is_sent_as_it_is
            path_and_query_are_sent_as_written_and_fragments_are_not
            every_request_has_the_usual_headers
            a_requests_own_headers_replace_the_usual_ones
            without_compression_none_is_asked_for
            bodies_of_every_size_arrive_and_come_back
            a_missing_body_has_a_length_where_one_could_be
            credentials_in_a_url_become_basic_authentication
            what_is_no_url_of_http_is_not_sent
        );
    };
    (@redirects $path:ty) => {
        tests!($path, redirects:
            chains_of_redirects_are_followed
            locations_may_be_relative
            methods_and_bodies_change_as_in_python_requests
            a_head_stays_a_head
            other_statuses_and_missing_locations_are_answers
            a_loop_ends_at_the_usual_limit
            the_limit_is_the_classs
            a_request_may_refuse_to_follow
            credentials_are_sent_to_their_origin_only
            a_host_of_ones_own_is_not_sent_elsewhere
            a_redirect_to_what_is_no_url_of_http_fails
        );
    };
    (@cookies $path:ty) => {
        tests!($path, cookies:
            a_user_keeps_its_cookies_and_nobody_elses
            cookies_are_sent_under_their_path
            cookies_are_sent_to_their_host_or_domain
            ports_share_cookies
            secure_cookies_go_over_tls_only
            expired_cookies_are_not_kept
            cookies_expire_in_time
            cookies_are_replaced_and_deleted
            several_cookies_are_one_header
            cookies_of_a_redirect_are_sent_where_it_leads
            a_requests_own_cookies_are_sent_alone_and_once
            cookies_can_be_switched_off
            cookies_can_be_looked_at
            cookies_survive_a_change_of_connection
        );
    };
    (@compression $path:ty) => {
        tests!($path, compression:
            every_coding_is_decoded
            streams_may_follow_each_other
            chunks_need_not_be_whole_streams
            large_bodies_are_decoded
            headers_stay_as_they_came
            no_body_needs_no_decoding
            corrupt_bodies_fail
            unknown_codings_stay_as_they_are
            more_layers_than_anybody_needs_fail
            without_compression_bodies_stay_as_they_came
            a_bomb_is_given_up
            a_window_beyond_the_standards_is_refused
        );
    };
    (@connections $path:ty) => {
        tests!($path, connections:
            a_user_keeps_its_connection
            users_share_no_connection
            every_origin_has_a_connection_of_its_own
            connections_to_many_origins_are_not_kept_for_ever
            a_target_may_close_after_each_answer
            an_older_target_may_keep_the_connection
            an_idle_connection_that_the_target_closes_costs_no_request
            without_reuse_every_request_has_a_connection
            connections_may_live_for_an_iteration
            a_connection_takes_no_more_requests_than_it_may
            every_hop_of_a_redirect_is_a_request_of_its_connection
            requests_are_counted_by_connection
            an_old_connection_is_replaced
            every_new_connection_looks_the_name_up
            a_name_that_moves_is_followed
        );
    };
    (@bodies $path:ty) => {
        tests!($path, bodies:
            an_answer_is_read_to_its_end
            headers_are_handed_over
            chunks_are_joined
            statuses_without_a_body_have_none
            interim_answers_are_passed_over
            the_answer_to_head_has_no_body
            a_body_may_end_with_its_connection
            bytes_may_come_one_by_one
            bytes_behind_an_answer_are_no_answer
            an_answer_may_come_before_the_request_was_read
            bodies_are_read_up_to_a_limit
            a_body_without_an_end_is_given_up
        );
    };
    (@failures $path:ty) => {
        tests!($path, failures:
            a_refused_connection_is_named
            an_unknown_name_is_named
            a_reset_connection_is_named
            a_connection_closed_without_an_answer_is_named
            a_connection_closed_before_the_request_is_named
            an_answer_that_breaks_off_is_named
            what_is_not_http_is_named
            large_heads_are_read_and_huge_ones_are_not
            a_head_that_takes_too_long_is_given_up
            a_body_that_takes_too_long_is_given_up
            the_deadline_is_that_of_the_whole_answer
            a_connection_that_takes_too_long_is_given_up
            a_user_goes_on_after_any_failure
            a_request_that_is_dropped_ends_its_connection
        );
    };
    (@tls $path:ty) => {
        tests!($path, tls:
            a_private_authority_is_trusted_if_it_is_given
            a_certificate_is_for_its_names_only
            an_expired_certificate_is_refused
            everything_is_accepted_if_that_is_wanted
            a_user_introduces_itself_if_it_can
            what_speaks_no_tls_is_named
            an_abrupt_end_is_named_as_without_tls
            every_connection_has_a_whole_handshake
            users_of_a_class_share_what_was_prepared
        );
    };
    (@http2 $path:ty) => {
        tests!($path, http2:
            prior_knowledge_needs_no_tls
            tls_agrees_on_the_newest_version_that_both_speak
            only_the_wanted_version_is_offered
            without_tls_auto_means_the_old_version
            methods_headers_and_bodies_are_the_same
            connections_have_the_same_lifetimes
            a_stream_that_is_reset_is_named
            a_request_that_is_refused_has_failed
            an_orderly_shutdown_costs_no_request
            a_target_that_always_shuts_down_is_given_up
            a_connection_that_is_terminated_is_named
            a_slow_answer_is_given_up_and_its_connection_stays
            a_target_that_speaks_only_the_old_version_is_named
        );
    };
    (@proxies $path:ty) => {
        tests!($path, proxies:
            plain_requests_are_forwarded
            a_forwarding_proxy_is_told_the_credentials
            secure_requests_go_through_a_tunnel
            a_tunnel_that_is_refused_is_named
            a_proxy_that_is_not_there_is_named
            a_proxy_may_want_tls_itself
            socks_carries_both_kinds
            socks_may_look_names_up
            socks_is_told_the_credentials
            proxies_of_the_environment_are_not_used
        );
    };
}

conformance!(reqwest, crate::path::Reqwest:
    requests redirects cookies compression connections bodies failures tls http2 proxies);
