package domain

import (
	"errors"
	"time"
)

// Kind is the class of a failure: the only thing that a caller may branch on,
// with errors.Is(err, domain.NotFound). Its text is the stable word that the HTTP
// contract calls code.
type Kind string

// The kinds of failure. Every error that crosses a port is an *Error of one of them.
const (
	Invalid              Kind = "invalid_request"                // what the caller gave breaks a rule
	NotAuthenticated     Kind = "not_authenticated"              // nobody is logged in, or what says so is not good
	NotAllowed           Kind = "not_allowed"                    // the caller is known and may not do this
	NotFound             Kind = "not_found"                      // absent, over, or not the caller's to see
	AlreadyAdded         Kind = "already_added"                  // the pair of Voiceflow project and version is there
	AmbiguousName        Kind = "ambiguous_name"                 // several projects answer to the name
	NameTooLong          Kind = "name_too_long"                  // the assistant's name has more than MaxProjectName bytes
	Conflict             Kind = "conflict"                       // the state as it is does not admit the change
	VoiceflowRejected    Kind = "voiceflow_rejected"             // Voiceflow refused the key or does not know the version
	VoiceflowUnavailable Kind = "voiceflow_unavailable"          // no answer of Voiceflow's that can be used
	TooManyRequests      Kind = "too_many_requests"              // too many attempts; RetryAfter says when again
	Corrupt              Kind = "corrupt"                        // sealed bytes do not open
	Unavailable          Kind = "unavailable"                    // a store could not answer; trying again may help
	NoAssistant          Kind = "no_assistant"                   // the caller has set no assistant
	CredentialsRejected  Kind = "assistant_credentials_rejected" // Voiceflow refused the key that is kept
	NeedsReentry         Kind = "needs_reentry"                  // the key that is kept does not open; an admin has to set it again
)

// Kinds lists every Kind, so that a test can prove a mapping of them total.
func Kinds() []Kind {
	return []Kind{
		Invalid, NotAuthenticated, NotAllowed, NotFound, AlreadyAdded, AmbiguousName, NameTooLong,
		Conflict, VoiceflowRejected, VoiceflowUnavailable, TooManyRequests, Corrupt, Unavailable,
		NoAssistant, CredentialsRejected, NeedsReentry,
	}
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is the one error type of this project.
type Error struct {
	Kind Kind
	// Public is a sentence that may be shown to the caller. It never holds a secret.
	Public string
	// Cause is for the log only. It may be nil, and it never holds a secret.
	Cause error
	// Projects are what AlreadyAdded found there (one) and what AmbiguousName
	// could mean (the first ten by Id). It is empty for every other kind.
	Projects []Project
	// RetryAfter is how long the caller should wait before trying again; zero says nothing.
	RetryAfter time.Duration
	// Rate is what TooManyRequests says of the caller's rate; zero says nothing.
	Rate Rate
}

// Error is the text for the log: kind, public sentence and cause.
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

// Unwrap gives the Kind and the Cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// KindOf returns the Kind of err, and "" for nil and for an error that is none of ours.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

func invalid(public string) error { return &Error{Kind: Invalid, Public: public} }
