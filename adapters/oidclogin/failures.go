package oidclogin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/flowlatch/flowlatch/domain"
)

func invalid(public string) error { return &domain.Error{Kind: domain.Invalid, Public: public} }

// refused is the error for a login or a logout that is not accepted. cause is for the log.
func refused(cause error) error {
	return &domain.Error{
		Kind: domain.NotAuthenticated, Public: "the identity provider's answer was not accepted; log in again",
		Cause: fmt.Errorf("%w: %w", domain.ErrProviderAnswer, short(cause)),
	}
}

func refusedBecause(cause string) error { return refused(errors.New(cause)) }

// maxCause is how much of an error of a library goes into the log, in bytes. Some repeat the answer.
const maxCause = 300

// short returns err, cut to what fits into a line of the log.
func short(err error) error {
	text := err.Error()
	if len(text) <= maxCause {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxCause], "") + "…")
}

// unavailable is the error for a provider that gave no usable answer. public says what is wrong and what to
// do; "" makes it from cause.
func unavailable(cause error, public string) error {
	if public == "" {
		public = "the identity provider " + whatHappened(cause)
	}
	return &domain.Error{Kind: domain.Unavailable, Public: public, Cause: short(cause)}
}

// whatHappened says why there is no usable answer, as the end of a sentence.
func whatHappened(err error) string {
	const checkIssuer = "; an admin has to check FLOWLATCH_OIDC_ISSUER and the network"
	if status, ok := errors.AsType[statusError](err); ok {
		return "answered with the status " + strconv.Itoa(int(status)) + "; an admin has to check FLOWLATCH_OIDC_ISSUER if that goes on; try again later"
	}
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownHost := errors.AsType[*net.DNSError](err)
	_, unconnected := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, errTooLarge):
		return "sent more than 1 MiB; an admin has to check FLOWLATCH_OIDC_ISSUER"
	case badCertificate:
		return "has a certificate that is not trusted; an admin has to install its certificate authority"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "does not answer in time; try again later"
	case errors.Is(err, context.Canceled):
		return "was not waited for; try again"
	case unknownHost:
		return "has a host name that can't be found" + checkIssuer
	case unconnected:
		return "can't be reached" + checkIssuer
	}
	return "gave no usable answer; try again later"
}

// tokenFailure returns the error for a token endpoint that gave no tokens. The description that the
// provider gives is dropped, since some repeat the code in it.
func tokenFailure(ctx context.Context, err error) error {
	answered, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		if ended := ctx.Err(); ended != nil { // oauth2 does not wrap it while it reads the body
			err = fmt.Errorf("token endpoint: %w", ended)
		}
		return unavailable(err, "")
	}
	status := answered.Response.StatusCode
	cause := fmt.Errorf("token endpoint: status %d, error %q", status, known(answered.ErrorCode))
	switch code := answered.ErrorCode; {
	case code == "invalid_grant", refuses(status) && (code == "access_denied" || known(code) == another):
		return refused(cause)
	}
	switch answered.ErrorCode {
	case "invalid_client", "unauthorized_client":
		return unavailable(cause, "the identity provider rejected this service; an admin has to check FLOWLATCH_OIDC_CLIENT_ID and FLOWLATCH_OIDC_CLIENT_SECRET")
	case "":
		return unavailable(fmt.Errorf("token endpoint: %w", statusError(status)), "")
	}
	return unavailable(cause, "the identity provider refused to give tokens; an admin finds the reason in the log")
}

// refuses reports whether a token endpoint refuses with the status. Some give no error of RFC 6749 with
// it: glewlwyd answers an unknown refresh token with 400 and nothing else, and an unknown code with 403
// and invalid_code. A login must not go on for that.
func refuses(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusForbidden
}

// another stands for an error code that is missing or not known.
const another = "another one"

// known returns the error code if it is one of RFC 6749, section 5.2, or of RFC 6749, section 4.1.2.1.
func known(code string) string {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"access_denied", "server_error", "temporarily_unavailable":
		return code
	}
	return another
}
