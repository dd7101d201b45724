// Package webhooks tells webhooks of events. The store has a delivery for each event and each webhook that
// wants it, which it stored together with the audit's record. A Deliverer sends what is due.
package webhooks

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

const (
	// perWebhook is how many tries of one webhook this instance has under way at most. A receiver that is
	// slow delays only its own events.
	perWebhook = 4
	// endPatience is how long the end of a try may take to be stored. It does not end with the service.
	endPatience = 2 * time.Second
)

// Ports is what a Deliverer works with. All but Users must be given.
type Ports struct {
	Webhooks ports.Webhooks
	Sender   ports.WebhookSender
	Projects ports.ProjectRepository // for names
	Users    ports.UserRepository    // likewise; nil if a host program keeps the users
	Tokens   ports.AccessTokens      // likewise
	Cipher   ports.Cipher            // opens the signing secrets
	Clock    ports.Clock
	Random   io.Reader
}

// Deliverer tells webhooks of events, each at least once. Any number of instances may work on one database.
// It is safe for concurrent use.
type Deliverer struct {
	ports   Ports
	running sync.WaitGroup

	mu      sync.Mutex
	workers map[domain.WebhookID]int
	failed  error // of workers, since the last Deliver
}

// New returns a Deliverer. A later call panics if p is incomplete.
func New(p Ports) *Deliverer { return &Deliverer{ports: p, workers: map[domain.WebhookID]int{}} }

// Deliver begins the tries that are due, and does not wait for their ends. A try that ctx interrupts is
// dropped, and due at once for other instances. Deliver returns what kept earlier tries from beginning or
// from being stored. Such a try is due again later.
func (d *Deliverer) Deliver(ctx context.Context) error {
	due, err := d.ports.Webhooks.Due(ctx, d.ports.Clock())
	for _, id := range due {
		d.employ(ctx, id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	err = errors.Join(err, d.failed)
	d.failed = nil
	return err
}

// Wait waits until no try is under way.
func (d *Deliverer) Wait() { d.running.Wait() }

// employ starts a worker for the webhook, unless it has enough of them.
func (d *Deliverer) employ(ctx context.Context, id domain.WebhookID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.workers[id] >= perWebhook || ctx.Err() != nil {
		return
	}
	d.workers[id]++
	d.running.Go(func() {
		err := d.work(ctx, id)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.failed = errors.Join(d.failed, err)
		if d.workers[id]--; d.workers[id] == 0 {
			delete(d.workers, id)
		}
	})
}

// work makes one try after the other until none is due. While there are others, it gets help.
func (d *Deliverer) work(ctx context.Context, id domain.WebhookID) error {
	for ctx.Err() == nil {
		begun, err := d.ports.Webhooks.Begin(ctx, id, d.ports.Clock())
		if domain.KindOf(err) == domain.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		d.employ(ctx, id)
		if err := d.try(ctx, begun); err != nil {
			return err
		}
	}
	return nil
}

// try makes the try that has begun and stores how it ended.
func (d *Deliverer) try(ctx context.Context, begun domain.Delivery) error {
	is, err := d.send(ctx, begun)
	if err != nil && ctx.Err() == nil {
		return err // it counts as lost
	}
	now := d.ports.Clock()
	ended := begun.Dropped(now)
	if ctx.Err() == nil || is == domain.SentOK {
		jitter, err := d.jitter()
		if err != nil {
			return err
		}
		ended = begun.Ended(is, now, jitter)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	return d.ports.Webhooks.End(ctx, begun, ended)
}

// send sends the event of the delivery.
func (d *Deliverer) send(ctx context.Context, begun domain.Delivery) (domain.SendResult, error) {
	all, err := d.ports.Webhooks.List(ctx)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(all, func(w domain.Webhook) bool { return w.ID == begun.Webhook })
	if at < 0 {
		return domain.SentGone, nil // it was removed with its deliveries, so nothing is stored
	}
	return d.Send(ctx, all[at], begun.Event)
}

// Send makes one try to tell the webhook of the event. Returns the errors of the store. What becomes of the
// try is no error.
func (d *Deliverer) Send(ctx context.Context, w domain.Webhook, e domain.Event) (domain.SendResult, error) {
	secret, err := d.ports.Cipher.Open(w.Secret, domain.BindWebhook(w.ID))
	if domain.KindOf(err) == domain.Corrupt {
		return domain.SendUnsigned, nil
	}
	if err != nil {
		return "", err
	}
	names, err := d.names(ctx, e)
	if err != nil {
		return "", err
	}
	m, err := domain.NewWebhookMessage(w.URL, e, names, secret, d.ports.Clock())
	if err != nil {
		return domain.SendUnsigned, nil //nolint:nilerr // the result says it
	}
	return d.ports.Sender.Send(ctx, m), nil
}

// names returns the present names of what the event concerns.
func (d *Deliverer) names(ctx context.Context, e domain.Event) (domain.EventNames, error) {
	var names domain.EventNames
	var err error
	projects, users, tokens := e.Concerns()
	if len(projects) > 0 {
		if names.Projects, err = d.ports.Projects.Names(ctx, domain.Operator().Sees(), projects); err != nil {
			return names, err
		}
	}
	if len(users) > 0 && d.ports.Users != nil {
		if names.Users, err = d.ports.Users.Names(ctx, users); err != nil {
			return names, err
		}
	}
	if len(tokens) > 0 {
		names.Tokens, err = d.ports.Tokens.Names(ctx, "", tokens)
	}
	return names, err
}

// jitter returns a number from 0 to below 1.
func (d *Deliverer) jitter() (float64, error) {
	var b [4]byte
	if _, err := io.ReadFull(d.ports.Random, b[:]); err != nil {
		return 0, err
	}
	return float64(binary.BigEndian.Uint32(b[:])) / (1 << 32), nil
}
