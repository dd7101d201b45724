package ports

import (
	"context"
	"io"
	"net/http"

	"github.com/flowlatch/flowlatch/domain"
)

// Voiceflow speaks to Voiceflow with a project's key.
type Voiceflow interface {
	// Origin is where a key given to this client is sent to, and nowhere else. It does
	// no I/O and never changes.
	Origin() domain.Origin

	// Export fetches the export of a version and returns what is kept of it. It reads
	// the answer to its end: one that is cut, goes on for too long or is no well-formed
	// export is VoiceflowUnavailable, as are no answer within the client's time, the
	// statuses 408 and 429, and every 3xx and 5xx; RetryAfter is set where Voiceflow
	// said when to come back. Any other 4xx is VoiceflowRejected. Redirects are not
	// followed. An export with the key in its name or platform is VoiceflowUnavailable too,
	// since these are shown. Name and Platform are valid UTF-8 without NUL: U+FFFD stands where
	// Voiceflow's text was not. No error holds the key or anything of the answer's body.
	Export(ctx context.Context, v domain.VersionRef, key domain.Secret) (domain.Export, error)

	// Forward sends the call that r is to the service of f's Endpoint, with the credential,
	// and returns Voiceflow's answer whatever its status. The caller reads and closes its
	// body. Nothing of a caller's comes to Voiceflow in another way.
	//
	// What goes there is made anew. The method and the path are the Endpoint's. The query is
	// what the Endpoint lets pass, with the fields of the project. The header is what a short
	// list lets pass, and never a credential, a cookie or an address of the caller's. The
	// body is as the Endpoint's Body says, with its Members handled. versionID and
	// projectid say the project's own version and id, unless the credential is the key of a
	// v4 session.
	//
	// The header of the answer is what a short list lets pass, and never a cookie. Members
	// userID in JSON and in the JSON of server-sent events are turned back: by f.UserIDs, or
	// because this call has bound them. The credential is overwritten wherever it stands. If
	// the Endpoint Starts a session, the answer has f.Handle in place of the session key.
	//
	// Server-sent events come as they are sent, part by part, and end when nothing came for
	// the idle time. Any other answer is cut when the time of the whole exchange is over, or
	// when it is larger than answers may be. A read past such an end fails. An answer of 400
	// and more whose body is not JSON has no body, and ContentLength 0. The call ends at
	// Voiceflow when ctx is done or the body is closed. A GET that brought no answer at all
	// is sent once more.
	//
	// Returns NotFound if the call names another project in its path, query or body, or
	// another version or environment in its path. Returns Invalid if the query or the body
	// can't be read or lacks what must be in it. Returns CredentialsRejected if Voiceflow
	// rejected the credential. Returns VoiceflowUnavailable if there was no answer in time,
	// one that redirects, or none that can be used, with RetryAfter where that is known, and
	// at once while the service is known to be down. No error holds the credential or
	// anything of the answer's body. An error of reading r.Body can be found by errors.As.
	Forward(ctx context.Context, f domain.Forward, r *http.Request, credential domain.Secret) (Answer, error)
}

// Answer is what Voiceflow answers to a forwarded call. When Forward fails, only Sent has
// a meaning.
type Answer struct {
	// Sent reports whether anything went to Voiceflow.
	Sent bool

	StatusCode    int
	Header        http.Header
	ContentLength int64 // -1 if it is unknown
	Body          AnswerBody

	// Started is the v4 session that the answer started. It is zero for any other answer.
	Started Started
}

// AnswerBody is the body of an Answer.
type AnswerBody interface {
	io.ReadCloser

	// CreditsUsedUp reports whether what was read of the answer says that the project's
	// credits are used up. It is asked when the body is closed.
	CreditsUsedUp() bool
}

// Started is a v4 session that Voiceflow has started.
type Started struct {
	UserID string // as Voiceflow has it
	Key    domain.Secret
}
