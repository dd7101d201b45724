package ports

import (
	"context"
	"io"
	"net/http"

	"github.com/flowlatch/flowlatch/domain"
)

// Voiceflow sends requests to Voiceflow with a project's key.
type Voiceflow interface {
	// Origins returns, for each service, the only origin that receives a key given to this
	// client. Export uses the service api, and Environments the service realtime-api. It does no
	// I/O, and the result never changes and is the caller's own.
	Origins() domain.Origins

	// Export fetches the export of a version and returns the part of it that is kept. Name and
	// Platform are valid UTF-8 without NUL; U+FFFD replaces invalid text. Redirects are not
	// followed.
	//
	// Returns VoiceflowUnavailable for no answer within the client's time, for the statuses 408
	// and 429, and for every 3xx and 5xx, with RetryAfter if Voiceflow sent it. Returns
	// VoiceflowUnavailable for an answer that is cut, that is too long, or that is not a
	// well-formed export, and for an export with the key in its name or platform, because these
	// are shown. Returns VoiceflowRejected for any other 4xx. No error contains the key or a
	// part of the answer's body.
	Export(ctx context.Context, v domain.VersionRef, key domain.Secret) (domain.Export, error)

	// Environments lists the environments of a Voiceflow project with their version ids, each as
	// domain.EnvironmentState.Plain returns it. Redirects are not followed.
	//
	// Returns VoiceflowUnavailable as Export does. Returns VoiceflowUnavailable for an answer of more
	// than 1 MiB, with more than 1000 environments, or with another form than Voiceflow documents.
	// Returns CredentialsRejected for a 401. Returns VoiceflowRejected for any other 4xx: older
	// projects have no environments. No error contains the key or a part of the answer's body.
	Environments(ctx context.Context, project domain.VoiceflowID, key domain.Secret) ([]domain.EnvironmentState, error)

	// CheckPersonal asks the service realtime-api for the project, with a personal access token of
	// Voiceflow. Redirects are not followed.
	//
	// Returns nil only for a well-formed answer that is about this project. Returns
	// VoiceflowUnavailable for any other answer of 200, and for one that is cut or too long.
	// Statuses, RetryAfter and the client's time are as for Export. No error contains the token or a
	// part of the answer's body.
	CheckPersonal(ctx context.Context, project domain.VoiceflowID, token domain.Secret) error

	// Forward sends the call r to the service of f's Endpoint, with the credential, and returns
	// Voiceflow's answer whatever its status. The caller of Forward reads and closes the
	// answer's body.
	//
	// Forward builds the request from what the Endpoint allows, and sends nothing else of r. The
	// method and the path are the Endpoint's. The query has the parameters that the Endpoint
	// lets pass, and the fields of the project. The header has what a short list lets pass, and
	// never a credential, a cookie or an address of r. The body is as the Endpoint's Body says,
	// with its Members handled. A turn asks for debug output only if f.Scopes has ScopeDebug.
	// projectid is the project's own id, unless the credential is the key of a v4 session. A personal
	// access token goes out after Bearer, and only to an Endpoint that TakesPersonal. Session ids in
	// the header sessionID, in the query and in the body are bound like user ids. A search may name
	// pseudonyms, by f.UserIDs.Find. f.UserIDs.Check sees all user ids and session ids that the call
	// acts on.
	//
	// f.Environment gets every name of an environment in the header, the query and the body, and
	// every stage that the query and the body name. What it returns is sent: in the path, in the
	// header versionID if the Endpoint has it, in the query, and in the body in place of what the
	// caller named. A documented member is added if it is missing.
	//
	// The answer has no encoding, also if Voiceflow sent gzip or deflate. Its header has what a
	// short list lets pass, and never a cookie. In JSON and in the JSON of server-sent events, a
	// string becomes the caller's own id if all of it is a pseudonym of the caller: by
	// f.UserIDs, or because this call has bound the id. The credential is overwritten everywhere.
	// If the Endpoint Starts a session, the answer has f.Handle in place of the session key.
	//
	// f.Begin is called when all else is ready and the service is not known to be down. Nothing
	// is sent before it has succeeded, and nothing at all if it fails.
	//
	// Server-sent events pass part by part. They end if nothing came for the idle time. Any
	// other answer is cut if the whole exchange takes too long or the answer is too large. A
	// read after such an end fails. If an answer of 400 and more has a body that is not JSON,
	// the body is left out and ContentLength is 0. The call ends at Voiceflow when ctx is done
	// or the body is closed. A GET without any answer is sent once more.
	//
	// Returns NotFound if the call names another project in its path, query or body. With a personal
	// access token, it also returns NotFound if the call asks for an object by its id and the answer,
	// or a member of it, has another projectID. Returns the error of f.Environment as it is. Returns
	// Invalid if the query or the body can't be read
	// or lacks a required part. Returns NotAllowed if a turn sets the state or variables and
	// f.Scopes lacks ScopeState. Returns CredentialsRejected if Voiceflow rejected the
	// credential. Returns VoiceflowUnavailable if there was no answer in time, a redirect, or an
	// unusable answer, with RetryAfter if that is known. Returns VoiceflowUnavailable at once
	// while the service is known to be down. No error contains the credential or a part of the
	// answer's body. errors.As finds an error of reading r.Body.
	// Returns the error of f.Begin as it is.
	Forward(ctx context.Context, f domain.Forward, r *http.Request, credential domain.Secret) (Answer, error)
}

// Answer is Voiceflow's answer to a forwarded call. If Forward fails, only Sent has a meaning.
type Answer struct {
	// Sent reports whether anything may have gone to Voiceflow. It is false if no connection
	// came about.
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

	// CreditsUsedUp reports whether the answer, as far as it was read, says that the project's
	// credits are used up. It is called when the body is closed.
	CreditsUsedUp() bool
}

// Started is a v4 session that Voiceflow has started.
type Started struct {
	UserID string // Voiceflow's form of the user id
	Key    domain.Secret
}
