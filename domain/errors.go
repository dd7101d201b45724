package domain

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is the class of a failure. It is the only part of an error to branch on, as in
// errors.Is(err, domain.NotFound). Its text is stable: the HTTP contract calls it code.
type Kind string

// The kinds of failure. Every error that crosses a port is an *Error of one of them.
const (
	Invalid               Kind = "invalid_request"                // a parameter breaks a rule
	NotAuthenticated      Kind = "not_authenticated"              // there is no caller, or the credential is invalid or expired
	NotAllowed            Kind = "not_allowed"                    // the caller may not do this
	EnvironmentNotAllowed Kind = "environment_not_allowed"        // the call may not use this environment, or this version of it
	NotFound              Kind = "not_found"                      // it does not exist, is over, or is not shown to the caller
	AlreadyAdded          Kind = "already_added"                  // the pair of Voiceflow project and version exists
	AmbiguousName         Kind = "ambiguous_name"                 // several projects match the name
	NameTooLong           Kind = "name_too_long"                  // the assistant's name has more than MaxProjectName bytes
	Conflict              Kind = "conflict"                       // the present state does not allow the change
	VoiceflowRejected     Kind = "voiceflow_rejected"             // Voiceflow rejected the key or does not know the environment
	VoiceflowUnavailable  Kind = "voiceflow_unavailable"          // Voiceflow gave no usable answer
	TooManyRequests       Kind = "too_many_requests"              // too many attempts; RetryAfter says when to retry
	Corrupt               Kind = "corrupt"                        // sealed bytes can't be opened
	Unavailable           Kind = "unavailable"                    // a store could not answer; a retry may help
	NoAssistant           Kind = "no_assistant"                   // the caller has set no assistant
	CredentialsRejected   Kind = "assistant_credentials_rejected" // Voiceflow rejected the stored key
	NeedsReentry          Kind = "needs_reentry"                  // the stored key can't be opened; an admin has to set it again
)

// Kinds lists every Kind, so that a test can check that a mapping covers all.
func Kinds() []Kind {
	return []Kind{
		Invalid, NotAuthenticated, NotAllowed, EnvironmentNotAllowed, NotFound, AlreadyAdded, AmbiguousName, NameTooLong,
		Conflict, VoiceflowRejected, VoiceflowUnavailable, TooManyRequests, Corrupt, Unavailable,
		NoAssistant, CredentialsRejected, NeedsReentry,
	}
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is the only error type of this project.
type Error struct {
	Kind Kind
	// Public is a sentence that may be shown to the caller. It never holds a secret.
	Public string
	// Cause is for the log only. It may be nil, and it never holds a secret.
	Cause error
	// Projects are the project that exists, for AlreadyAdded, and the first ten that match,
	// for AmbiguousName. It is empty for every other kind.
	Projects []Project
	// RetryAfter is how long the caller should wait before a retry; zero if that is unknown.
	RetryAfter time.Duration
	// Rate is the caller's rate, for TooManyRequests; zero if that is unknown.
	Rate Rate
	// MaybeDone tells that Voiceflow may have carried out a call that writes. The caller must
	// not be asked to repeat it.
	MaybeDone bool
}

// Error returns the text for the log: kind, public sentence and cause.
func (e *Error) Error() string {
	text := string(e.Kind)
	if e.Public != "" {
		text += ": " + e.Public
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the Kind and the Cause, for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// KindOf returns the Kind of err. It is "" for nil and for an error that is not an Error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// NotLoggedIn returns the only error for a login, whatever is wrong with it: NotAuthenticated.
// cause is for the log and may be nil.
func NotLoggedIn(cause error) error {
	return &Error{Kind: NotAuthenticated, Public: "you are not logged in", Cause: cause}
}

// OtherProject is the error for a call that names another project than the one of its assistant:
// NotFound. what is the name and where it stands, such as "the projectID in the path".
func OtherProject(what string) error {
	return &Error{Kind: NotFound, Public: what + " is not that of the assistant that is set or that the access token is for; set the other assistant, or use an access token for it" + SeeRefused}
}

// InvalidAccessToken returns the only error for an access token, whatever is wrong with it:
// NotAuthenticated. cause is for the log and may be nil.
func InvalidAccessToken(cause error) error {
	return &Error{Kind: NotAuthenticated, Public: "the access token in Authorization is invalid or expired; create a new one", Cause: cause}
}

// LookFirst says what to do about a call that writes and that Voiceflow may have carried out.
const LookFirst = "the call may have been carried out, so look before you repeat it"

// MaybeDone returns err for a call that writes and that Voiceflow may have carried out. It is a
// copy that says what happened, as err does, and then to look before repeating the call: a
// sentence says what to do after a semicolon. An error that is not an Error is returned as it is.
func MaybeDone(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	maybe := *e
	maybe.MaybeDone, maybe.RetryAfter = true, 0
	happened, _, _ := strings.Cut(e.Public, ";")
	if happened == "" {
		happened = "Voiceflow gave no usable answer"
	}
	maybe.Public = happened + "; " + LookFirst
	return &maybe
}

// WrongPassword is the error for a current password that is wrong: Invalid. The caller is known, so
// it is not NotAuthenticated. errors.Is(err, ErrWrongPassword) tells it from other Invalid errors.
func WrongPassword() error {
	return &Error{Kind: Invalid, Public: "the current password is wrong", Cause: ErrWrongPassword}
}

// PasswordMissing is the error for a change that asks for the current password and got none. It is
// told apart as WrongPassword is.
func PasswordMissing() error {
	return &Error{Kind: Invalid, Public: "password is missing; it must be your current password", Cause: ErrWrongPassword}
}

// PasswordOrProvider is PasswordMissing for a user who can log in with the identity provider instead.
func PasswordOrProvider() error {
	return &Error{Kind: Invalid, Public: "password is missing; it must be your current password. Or log in with the identity provider again and do this within 10 minutes", Cause: ErrWrongPassword}
}

// NoPassword is the error for a change that asks for the current password of a user who has none. It is
// told apart as WrongPassword is.
func NoPassword() error {
	return &Error{Kind: Invalid, Public: "you have no password here; log in with the identity provider again and do this within 10 minutes", Cause: ErrWrongPassword}
}

// ErrWrongPassword is the cause of WrongPassword, PasswordMissing, PasswordOrProvider and NoPassword. The
// audit records it as a refusal.
var ErrWrongPassword = errors.New("a wrong current password")

// ErrProviderAnswer is among the causes of the error for an answer or a token of the identity provider
// that is not accepted. The log tells all causes of such an error: what is wrong is mostly the setup of
// the provider. None of them holds a secret.
var ErrProviderAnswer = errors.New("the identity provider's answer was not accepted")

// ErrLoginLocked is the cause of a TooManyRequests if too many logins of the user name have failed from the
// address, and not only from the address.
var ErrLoginLocked = errors.New("the logins of the user name from the address are used up")

// ErrKeyOrVersion is the cause of a CredentialsRejected if Voiceflow may have rejected the version in
// place of the key: it has one message for both.
var ErrKeyOrVersion = errors.New("voiceflow rejected the key or does not know the version")

// AlreadyThere is the error for a project whose pair of Voiceflow project and version is that
// of there: AlreadyAdded. there has no sealed keys.
func AlreadyThere(there Project) error {
	return &Error{Kind: AlreadyAdded, Public: "this environment of the assistant is already added", Projects: []Project{there}}
}

// NameTaken is the error for a new user whose name another user has: Conflict.
func NameTaken() error {
	return &Error{Kind: Conflict, Public: "the user name is taken; choose another one"}
}

// UserExists is the error for a set-up link if there is a user: Conflict.
func UserExists() error {
	return &Error{Kind: Conflict, Public: "there is a user already; log in"}
}

// errReadsOnly marks the errors of ReadsOnly.
var errReadsOnly = errors.New("nothing can be stored")

// ReadsOnly returns the error for a change that a store could not keep, although it can be read.
// Its kind is Unavailable. The database is a standby, or its disk is full or read-only. cause may
// be nil.
func ReadsOnly(cause error) error {
	marked := errReadsOnly
	if cause != nil {
		marked = fmt.Errorf("%w: %w", errReadsOnly, cause)
	}
	return &Error{Kind: Unavailable, Public: "nothing can be stored now; try again later", Cause: marked}
}

// IsReadsOnly reports whether err is an error of ReadsOnly.
func IsReadsOnly(err error) bool { return errors.Is(err, errReadsOnly) }

// IDTaken is the error for something new whose id is in use: Conflict.
func IDTaken() error { return &Error{Kind: Conflict, Public: "that id is in use; try again"} }

// NoSuch is the error for something that does not exist: NotFound. what names it, as in "user".
func NoSuch(what string) error { return &Error{Kind: NotFound, Public: "there is no such " + what} }

// MayNotUse is the error for a caller who may not use an assistant: NotAllowed. It does not tell
// whether the assistant exists.
func MayNotUse() error {
	return &Error{Kind: NotAllowed, Public: "you are not allowed to use this assistant"}
}

func invalid(public string) error { return &Error{Kind: Invalid, Public: public} }
