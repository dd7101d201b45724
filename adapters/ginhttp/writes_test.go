package ginhttp_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// unsureAudit is an audit that can be switched off, in parts.
type unsureAudit struct {
	ports.AuditLog
	begins, appends atomic.Bool // whether these fail
}

func (a *unsureAudit) Begin(ctx context.Context, act domain.Act) error {
	if a.begins.Load() {
		return errDown
	}
	return a.AuditLog.Begin(ctx, act)
}

func (a *unsureAudit) Append(ctx context.Context, recs ...domain.Record) error {
	if a.appends.Load() {
		return errDown
	}
	return a.AuditLog.Append(ctx, recs...)
}

// writing is a world in which the member has set an assistant whose documents they may write.
func writing(t *testing.T) (*world, *unsureAudit) {
	t.Helper()
	audit := &unsureAudit{}
	w, p := talking(t, func(w *world) {
		audit.AuditLog = w.ports.Store.Audit
		w.ports.Store.Audit = audit
	})
	w.admin.do(t, "POST", "/grant_project", `{"user_id":"`+w.userID(t, "member")+`","project_id":"`+string(p.ID)+`","scopes":["converse","knowledge:write"]}`).want(t, 200, "")
	return w, audit
}

const upload = "/voiceflow/api/v1/knowledge-base/docs/upload/url"

// Three tries to add a document while the audit can't be written add none, and each may be
// repeated. Once Voiceflow was asked, no answer asks for a repetition.
func TestWritesThatCanNotBeRepeated(t *testing.T) {
	w, audit := writing(t)
	var sent atomic.Int32
	var answer func() (ports.Answer, error)
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		sent.Add(1)
		return answer()
	})
	fails := func() (ports.Answer, error) {
		return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow did not answer in time", RetryAfter: 7 * time.Second}
	}
	added := func() (ports.Answer, error) { return response(200, "application/json", `{"data":"added"}`), nil }
	gateway := func() (ports.Answer, error) {
		a := response(504, "text/html", "")
		a.Header.Set("Retry-After", "7")
		return a, nil
	}
	for _, tc := range []struct {
		name            string
		begins, appends bool // what can't be stored
		answer          func() (ports.Answer, error)
		status          int
		code            string
		sent            int32
		retry           bool
		says            string
	}{
		{"nothing is sent while the audit can't be written", true, false, added, 503, "unavailable", 0, true, ""},
		{"what was done is answered, though its outcome can't be stored", false, true, added, 200, "", 1, false, `{"data":"added"}`},
		{"what was not answered is not to be repeated", false, false, fails, 503, "voiceflow_unavailable", 1, false, "did not answer in time; " + domain.LookFirst},
		{"nor is it if its outcome can't be stored", false, true, fails, 503, "voiceflow_unavailable", 1, false, domain.LookFirst},
		{"nor is what a gateway of Voiceflow answered", false, false, gateway, 504, "voiceflow_unavailable", 1, false, domain.LookFirst},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer w.log.reset()
			answer = tc.answer
			sent.Store(0)
			audit.begins.Store(tc.begins)
			audit.appends.Store(tc.appends)
			r := w.member.do(t, "POST", upload, `{"data":{"type":"url","url":"https://example.com"}}`)
			audit.begins.Store(false)
			audit.appends.Store(false)
			if r.status != tc.status || tc.code != "" && r.body["code"] != tc.code || sent.Load() != tc.sent || !strings.Contains(string(r.raw), tc.says) {
				t.Errorf("got %d %s and %d calls at Voiceflow, want %d %s and %d", r.status, r.raw, sent.Load(), tc.status, tc.code, tc.sent)
			}
			if got := r.header.Get("Retry-After"); (got != "") != tc.retry {
				t.Errorf("got Retry-After %q, want one: %v", got, tc.retry)
			}
			const line = "the outcome of a forwarded call could not be written to the audit yet"
			if logged := strings.Contains(w.log.String(), `"level":"ERROR","msg":"`+line); logged != tc.appends {
				t.Errorf("got a line in the log: %v, want: %v", logged, tc.appends)
			}
		})
	}
}

// An outcome that could not be stored is in the audit once the database is back.
func TestTheAuditHeals(t *testing.T) {
	w, audit := writing(t)
	audit.appends.Store(true)
	r := w.member.do(t, "POST", upload, `{}`)
	r.want(t, 200, "")
	id := r.header.Get("X-Request-Id")
	outcomes := func() string {
		var all []string
		for _, e := range w.asked(t, "action=forward&request_id="+id) {
			all = append(all, e["Outcome"].(string))
		}
		return strings.Join(all, " ")
	}
	if got := outcomes(); got != "begun" {
		t.Errorf("got rows with outcomes %s, want begun alone", got)
	}
	audit.appends.Store(false)
	stop := w.service.Start(nil)
	stop() // stores what is left
	if got := outcomes(); got != "ok begun" && got != "begun ok" {
		t.Errorf("got rows with outcomes %s, want begun and ok", got)
	}
	if got := w.asked(t, "action=forward&outcome=begun&request_id="+id); len(got) != 1 {
		t.Errorf("by the outcome begun: got %v, want one row", got)
	}
	w.log.reset()
}
