/* blobhub_following.h: what a BlobHub server does when its client subscribes. Private.
 *
 * The link keeps the set; where it has a hub, its session follows the passing topic of each subscription's
 * key too, so that a broadcast finds it.
 */
#ifndef KEDGE_BLOBHUB_FOLLOWING_H
#define KEDGE_BLOBHUB_FOLLOWING_H

#include "blobhub_messages.h"
#include "blobhub_subscriptions.h"
#include "link.h"

/* Adds all types, or none; *added is how many were not there yet: they are the last of the set. LIMIT,
 * TOO_MANY_TOPICS, NO_MEMORY. */
kedge_status kedge_blobhub_follow(kedge_link *link, kedge_blobhub_subscriptions *all,
                                  const kedge_blobhub_subscription *subscription, size_t *added);

/* Takes the last ones back. */
void kedge_blobhub_follow_undo(kedge_link *link, kedge_blobhub_subscriptions *all, size_t added);

/* Removes those of the types that are there. NO_MEMORY: none was. */
kedge_status kedge_blobhub_unfollow(kedge_link *link, kedge_blobhub_subscriptions *all,
                                    const kedge_blobhub_subscription *subscription);

#endif
