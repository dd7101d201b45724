package forward

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// settle stores what the attempt tells, and returns the answer for the caller. It marks keys,
// stores the conversation that the call starts, counts the call, and records the outcome of a
// call that has begun. What was done at Voiceflow can't be undone, so an outcome that can't be
// stored now is stored later, and the caller gets the answer. unrecorded says why. What is known
// only at the end of the answer is stored by end.
func (f *Forwarder) settle(c *openCall, a attempted) (answer Answer, unrecorded, err error) {
	f.countTokenUse(c)
	noted := f.markKeys(c, a.news)
	if a.err == nil && !a.answer.Started.Key.IsZero() {
		if a.err = f.keepConversation(c, a.conversation, a.answer.Started); a.err != nil {
			_ = a.answer.Body.Close()
		}
	}
	unrecorded = f.recordOutcome(c, a)
	if a.err != nil {
		return Answer{}, unrecorded, withCause(f.fail(c, a), noted)
	}
	if c.route.Endpoint.Writes && a.answer.StatusCode >= http.StatusInternalServerError {
		// A gateway in front of Voiceflow does not know whether the call was carried out.
		a.answer.Header.Del("Retry-After")
	}
	f.counts.add(domain.Usage{UsageKey: c.usageKey(), Calls: 1}) // a stream may go on for long
	body := &openBody{AnswerBody: a.answer.Body, forwarder: f, call: c, accepted: a.accepted}
	body.failed.Store(a.answer.StatusCode >= http.StatusBadRequest)
	answer = Answer{StatusCode: a.answer.StatusCode, Header: a.answer.Header, ContentLength: a.answer.ContentLength, Body: body}
	return answer, unrecorded, nil
}

// fail settles a call that brought no answer, and returns its error.
func (f *Forwarder) fail(c *openCall, a attempted) error {
	err := c.lost(a.err)
	if !a.sent {
		f.open.end(c)
		return err
	}
	f.countAndClose(c, 1, c.caller.Err() == nil)
	if c.route.Endpoint.Writes && !a.rejected {
		return domain.MaybeDone(err)
	}
	return err
}

// withCause returns err with noted among its causes, for the log. It changes a copy, since
// several calls may have waited for the same error.
func withCause(err, noted error) error {
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || noted == nil {
		return err
	}
	with := *e
	with.Cause = errors.Join(e.Cause, noted)
	return &with
}

// end settles a call whose answer has ended, which failed or not.
func (f *Forwarder) end(c *openCall, accepted sentKey, failed, creditsUsedUp bool) {
	// What can't be stored now is stored with the next call.
	switch {
	case creditsUsedUp:
		failed = true
		_ = f.markCredits(c, domain.CreditsUsedUp)
	case c.route.Endpoint.Turn && !failed:
		_ = f.markCredits(c, domain.CreditsOK)
	}
	if !failed && accepted.slot != "" {
		_ = f.markKeys(c, []keyNews{{accepted, domain.KeyOK}})
	}
	f.countAndClose(c, 0, failed) // it was counted when its answer began
}

// markKeys stores the news about keys. The caller may have left.
func (f *Forwarder) markKeys(c *openCall, all []keyNews) error {
	ctx, p := context.WithoutCancel(c.ctx), c.access.Project
	var failed error
	for _, news := range all {
		switch {
		case p.Key(news.slot).Status == news.status: // it is no news
		case news.status == domain.KeyNeedsReentry:
			failed = errors.Join(failed, f.ports.Keyset.NoteUnopened(ctx, c.call, p, news.slot))
		default:
			failed = errors.Join(failed, f.ports.Keyset.NoteVerdict(ctx, c.call, p, news.slot, news.status, news.asked))
		}
	}
	return failed
}

// markCredits stores whether the assistant's credits are used up, if that is news.
func (f *Forwarder) markCredits(c *openCall, credits domain.Credits) error {
	p := c.access.Project
	if p.Credits == credits {
		return nil
	}
	rec := c.call.Record(f.ports.Clock(), domain.ActionMarkCredits, domain.OnProject(p.ID))
	rec.Outcome = string(credits)
	return f.ports.Projects.Note(context.WithoutCancel(c.ctx), p.ID, func(p *domain.Project) bool { return p.MarkCredits(credits) }, rec)
}

// recordOutcome stores the audit record of how a call ended that has begun. If that fails, it
// keeps the record for FlushOutcomes.
func (f *Forwarder) recordOutcome(c *openCall, a attempted) error {
	if !a.begun {
		return nil
	}
	rec := c.call.Record(f.ports.Clock(), domain.ActionForward, c.route.Object(c.access.Project.ID))
	switch {
	case a.err == nil:
		rec.Outcome = domain.OutcomeOf(a.answer.StatusCode)
	case !a.sent:
		rec.Outcome = domain.OutcomeNotSent
	case a.rejected:
		rec.Outcome = domain.OutcomeRejected
	default:
		rec.Outcome = domain.OutcomeUnknown
	}
	err := f.ports.Audit.Append(context.WithoutCancel(c.ctx), rec)
	if err != nil {
		f.outcomes.keep(rec)
	}
	return err
}

// countTokenUse counts the use of the access token that the call stands on, once a minute.
func (f *Forwarder) countTokenUse(c *openCall) {
	if token := c.access.Token; token.ID != "" && c.began.Sub(token.LastUsed) >= time.Minute {
		f.counts.tokenUsed(token.ID, c.began)
	}
}

// countAndClose counts the call as so many and closes it.
func (f *Forwarder) countAndClose(c *openCall, calls int64, failed bool) {
	u := domain.Usage{UsageKey: c.usageKey(), Calls: calls, Milliseconds: f.ports.Clock().Sub(c.began).Milliseconds()}
	if failed {
		u.Errors = 1
	}
	f.counts.add(u)
	f.open.end(c)
}

// openBody is the body of an answer. Its end is the end of the call.
type openBody struct {
	ports.AnswerBody

	forwarder *Forwarder
	call      *openCall
	accepted  sentKey
	failed    atomic.Bool // one goroutine may read while another closes
	once      sync.Once
}

// Read reads on. If the call was ended here, its error is the reason.
func (b *openBody) Read(p []byte) (int, error) {
	n, err := b.AnswerBody.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.call.lost(err)
		if b.call.caller.Err() == nil {
			b.failed.Store(true)
		}
	}
	return n, err
}

// Close ends the call.
func (b *openBody) Close() error {
	err := b.AnswerBody.Close()
	b.once.Do(func() { b.forwarder.end(b.call, b.accepted, b.failed.Load(), b.CreditsUsedUp()) })
	return err
}
