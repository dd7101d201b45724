// Package forward sends calls of callers to Voiceflow and returns the answers. A call takes
// three steps, each in a file of its own:
//
//   - authorize finds out who calls and what they may use, and charges their open calls and rate;
//   - attempt sends the call with the key of the assistant and returns what happened;
//   - settle stores what that tells, and passes the answer on.
//
// Only settle marks keys, notes credits and counts usage. A call that writes, and a read that
// the audit is to tell of, has two rows in the audit: attempt stores that it begins, before
// anything is sent, and settle stores its outcome. FlushOutcomes stores the outcomes that could
// not be stored at once.
//
// The package uses net/http as the words for a call: a request with a method, a header and a
// body, and an answer with a status. It knows no route, no cookie's name and no status of the
// service's own.
package forward

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/app/signon"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Ports is what a Forwarder works with. All but SignOns, Rates and OpenCalls must be given. The views must be
// of one database, and Keyset and Sessions must work with Cipher.
type Ports struct {
	Access        ports.Access
	Projects      ports.ProjectRepository // keeps what is known of credits
	Conversations ports.Conversations
	Usage         ports.Usage
	Audit         ports.AuditLog

	Keyset     *keyset.Keyset
	Sessions   *session.Sessions
	SignOns    *signon.Logins // nil without an identity provider
	Cipher     ports.Cipher
	Pseudonyms ports.Pseudonyms
	Voiceflow  ports.Voiceflow

	// AuditReads says which reads leave rows in the audit, as all calls that write do.
	AuditReads domain.AuditReads

	Rates     ports.CallRates // no limit if nil
	OpenCalls ports.OpenCalls // no limit if nil
	Clock     ports.Clock
	Random    io.Reader
}

// Forwarder forwards calls. It is safe for concurrent use. Between calls it keeps the counts
// and outcomes that have yet to be stored, and the lists of environments that Voiceflow gave. Rights
// are looked up for each call.
type Forwarder struct {
	ports    Ports
	open     openCalls
	counts   usageCounts
	outcomes outcomes
	renewals renewals

	environments environmentLists
}

// New returns a Forwarder.
func New(p Ports) *Forwarder { return &Forwarder{ports: p} }

// Input is a call as the caller gave it, without the request itself.
type Input struct {
	Service string // the name of Voiceflow's service
	Path    string // the path after the service, with its percent-encoding

	// Project is the assistant that the call names; "" if it names none. Such a call takes a login,
	// and no AssistantCookie, Token or Handle. It neither starts a v4 session nor takes a turn in
	// one, since nothing would end that session.
	Project domain.ProjectID

	// The credentials. A v4 session's turn takes Handle. Any other call takes Token, or the
	// cookies if there is no Token. If the Caller of the domain.Call is known already, by a login
	// or by a host program, it replaces UserCookie.
	Token           domain.Secret // an access token, from Authorization
	Handle          string        // anything else in Authorization
	UserCookie      string
	AssistantCookie string
}

// Result is the outcome of Forward.
type Result struct {
	// Answer is zero if Forward fails.
	Answer Answer
	// Endpoint is what was called; nil if there is no such endpoint.
	Endpoint *domain.Endpoint
	// Caller is who called, as far as Forward found out.
	Caller domain.Caller
	// UserCookie and AssistantCookie are the caller's cookies, sealed with the current key,
	// to be set in the answer. They are to be set also if Forward fails. The Text of a cookie
	// is "" if the current key sealed it already.
	UserCookie      session.Cookie
	AssistantCookie session.Cookie
	// Rate is what is left of the caller's rate; zero if there is no limit.
	Rate domain.Rate
	// Environment is what the call used; zero if it has none, or if it was refused before.
	Environment domain.UsedEnvironment
	// TokenEnds is when the access token ends, or the text of it that was used. It is zero if
	// that is not soon (domain.Access.TokenEnds).
	TokenEnds time.Time
	// Unrecorded is why the outcome of the call is not in the audit yet, for the log; nil if
	// it is there. FlushOutcomes stores it.
	Unrecorded error
}

// Answer is Voiceflow's answer for the caller.
type Answer struct {
	StatusCode    int
	Header        http.Header
	ContentLength int64 // -1 if it is unknown
	// Body must be closed. The call is open until then.
	Body io.ReadCloser
}

// Forward sends the call that r is to Voiceflow, with the key of an assistant, and returns the
// answer. The assistant is the one that the call names, or that the caller has set, or that the
// access token or the handle is for. The method, the query, the header and the body of r are the caller's.
//
// Caller and rights are looked up for each call. EndLostUses ends an open call that has lost
// its right. If Voiceflow rejects a key of an assistant with two keys, the other one is tried
// once.
//
// Returns NotFound if the call is not among domain.Endpoints, or if its path, query or body names
// another project. Returns NotFound to an admin if Project of in does not exist. Returns NotAllowed
// to others, whether it does not exist or is not granted. Returns NotAuthenticated if Project comes
// with another credential than a login. Returns Invalid if it comes with a call of a v4 session.
// Returns EnvironmentNotAllowed if the call names an environment that is not allowed. Returns
// Conflict if the form in which Voiceflow takes the environment is not known.
// Returns NotAuthenticated if anything is wrong with the caller or the assistant session.
// Returns NoAssistant if the caller has set none. Returns NotAllowed if the scope is missing.
// Returns TooManyRequests if the caller has used up their rate or has too many open calls. Returns
// Invalid if the query or the body can't be read. Returns NeedsReentry if no key of the assistant can be opened.
// Returns CredentialsRejected if Voiceflow rejected the keys. Returns VoiceflowUnavailable if
// Voiceflow gave no usable answer. Returns Unavailable if the row that a call begins, or the
// conversation that a call starts, can't be stored. Without that row nothing is sent. An error
// of a call that writes is MaybeDone if Voiceflow may have carried the call out.
func (f *Forwarder) Forward(ctx context.Context, call domain.Call, in Input, r *http.Request) (Result, error) {
	route, err := domain.MatchEndpoint(in.Service, r.Method, in.Path)
	if err != nil {
		return Result{}, err
	}
	out := Result{Endpoint: route.Endpoint}
	c, err := f.authorize(ctx, call, route, in, &out)
	if err != nil {
		return out, err
	}
	settled := false
	defer func() {
		if !settled { // after a panic
			f.open.end(c)
		}
	}()
	a := f.attempt(c, r)
	out.Environment = a.used
	out.Answer, out.Unrecorded, err = f.settle(c, a)
	settled = true
	return out, err
}
