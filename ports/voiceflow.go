package ports

import (
	"context"
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

	// Forward sends the call that r is, with the credential put in, to the host that is
	// configured for the service of f's Endpoint, and returns Voiceflow's answer, whatever
	// its status, for the caller to read and close. It is the only way in which anything
	// of a caller's comes to Voiceflow, and what goes there is made anew: the method and
	// path of the Endpoint; of the query what the Endpoint lets pass, and the fields of
	// the project; of the headers what a short list lets pass, never a credential, a
	// cookie or an address of the caller's; and the body as the Endpoint's Body says, with
	// its Members looked after. versionID and projectid say the project's own version and
	// id, but where a v4 session's key is the credential. It is NotFound for a call that
	// names another project in its path, query or body, or another version or environment
	// in its path, and Invalid for a query or body that can't be read or lacks what must
	// be in it. f.Sent is called before anything is sent, and not otherwise.
	//
	// The answer has the headers of a short list and never a cookie. Members userID in it
	// that f.UserIDs knows are turned back, in JSON and in the JSON of server-sent events.
	// The credential, wherever it stands in an answer, is overwritten. The answer to an
	// Endpoint that Starts a session has a handle in the place of the session key.
	// Server-sent events come as they are sent, part by part, and end when nothing came
	// for the idle time; any other answer is cut when the time of the whole exchange is
	// over, or when it is larger than answers may be. A read past such an end fails. An
	// answer of 400 and more whose body is not JSON has no body, and ContentLength 0. The
	// call ends at Voiceflow when ctx is done or the body is closed.
	//
	// It is CredentialsRejected when Voiceflow refused the credential. It is
	// VoiceflowUnavailable, with RetryAfter where that is known, when there was no answer
	// in time, one that redirects, or none that can be used, and at once while the service
	// is known to be down. A GET that brought no answer at all is sent once more. No error
	// holds the credential or anything of the answer's body; an error of reading r.Body
	// can be found in it by errors.As.
	Forward(ctx context.Context, f domain.Forward, r *http.Request, credential domain.Secret) (*http.Response, error)
}
