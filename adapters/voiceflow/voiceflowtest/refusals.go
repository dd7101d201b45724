package voiceflowtest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// ErrorForm is one of the forms of errors of Voiceflow's services. There is no common form: each
// generation of services has its own.
type ErrorForm int

const (
	// FormLegacy has the `code`, `status`, `data` of the oldest services.
	FormLegacy ErrorForm = iota + 1
	// FormLegacyValidation is FormLegacy with the faulty parameters in `data`.
	FormLegacyValidation
	// FormVerror has the `name`, `message`, `requestID` of the dialog manager.
	FormVerror
	// FormNest has the `message`, `statusCode`, `statusText`, `path` of the newer services.
	FormNest
	// FormNestValidation is FormNest with `details`. Its body says 422, whatever the status of
	// the response is.
	FormNestValidation
	// FormNested wraps `code` and `message` in `error`, for knowledge bases.
	FormNested
	// FormBare has only `statusCode` and `message`.
	FormBare
	// FormPage is the HTML of the web server in front of the services.
	FormPage
	// FormText is plain text. It is `response timeout` for a 408, as at the runtime's deadline,
	// and otherwise the name of the status.
	FormText
	// FormMislabelled is FormBare with the content type of plain text.
	FormMislabelled
)

// ErrorForms returns every ErrorForm.
func ErrorForms() []ErrorForm {
	return []ErrorForm{
		FormLegacy, FormLegacyValidation, FormVerror, FormNest, FormNestValidation,
		FormNested, FormBare, FormPage, FormText, FormMislabelled,
	}
}

// String returns a word for the form, for the names of tests.
func (f ErrorForm) String() string {
	switch f {
	case FormLegacy:
		return "legacy"
	case FormLegacyValidation:
		return "legacy validation"
	case FormVerror:
		return "verror"
	case FormNest:
		return "nest"
	case FormNestValidation:
		return "nest validation"
	case FormNested:
		return "nested"
	case FormBare:
		return "bare"
	case FormPage:
		return "HTML page"
	case FormText:
		return "plain text"
	case FormMislabelled:
		return "mislabelled JSON"
	}
	return fmt.Sprintf("ErrorForm(%d)", int(f))
}

// errorTime and errorMillis are the time in every error.
const (
	errorTime   = "2022-07-22T15:02:55.882Z"
	errorMillis = 1658502175882
)

// refuse answers with status and message in the form.
func refuse(w http.ResponseWriter, status int, form ErrorForm, message string) {
	body, contentType := form.body(status, message)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (f ErrorForm) body(status int, message string) (body []byte, contentType string) {
	text := http.StatusText(status)
	switch f {
	case FormPage:
		page := fmt.Sprintf("<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%[1]d %[2]s</h1></center>\r\n"+
			"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", status, text)
		return []byte(page), "text/html"
	case FormText:
		if status == http.StatusRequestTimeout {
			text = "response timeout"
		}
		return []byte(text), "text/plain; charset=utf-8"
	}
	body, _ = json.Marshal(f.object(status, message)) // no object can fail to encode
	if f == FormMislabelled {
		return body, "text/plain; charset=utf-8"
	}
	return body, "application/json; charset=utf-8"
}

// object returns the JSON object of a refusal in the form.
func (f ErrorForm) object(status int, message string) any {
	text := http.StatusText(status)
	switch f {
	case FormLegacy, FormLegacyValidation:
		legacy := struct {
			Code      int    `json:"code"`
			Status    string `json:"status"`
			DateTime  string `json:"dateTime"`
			Timestamp int64  `json:"timestamp"`
			Data      any    `json:"data"`
		}{status, text, errorTime, errorMillis, message}
		if f == FormLegacyValidation {
			legacy.Data = map[string]any{"errors": map[string]any{"projectid": map[string]any{"message": message}}}
		}
		return legacy
	case FormVerror:
		return struct {
			Name      string `json:"name"`
			Message   string `json:"message"`
			RequestID string `json:"requestID"`
		}{"verror", message, "ud2uASDNx"}
	case FormNest:
		return struct {
			Message    string `json:"message"`
			StatusCode int    `json:"statusCode"`
			StatusText string `json:"statusText"`
			Timestamp  string `json:"timestamp"`
			Path       string `json:"path"`
		}{message, status, text, errorTime, "/v1/anything"}
	case FormNestValidation:
		return struct {
			Message    string `json:"message"`
			StatusCode int    `json:"statusCode"`
			StatusText string `json:"statusText"`
			Details    []any  `json:"details"`
		}{"Validation failed", 422, "Unprocessable Entity", []any{map[string]any{
			"code": "invalid_type", "path": []string{"body"}, "expected": "string", "received": "undefined", "message": message,
		}}}
	case FormNested:
		return map[string]any{"error": struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Details string `json:"details"`
		}{status, message, text}}
	}
	return struct {
		StatusCode int    `json:"statusCode"`
		Message    string `json:"message"`
	}{status, message}
}

// unknownPath answers a path that this stand-in does not serve.
func unknownPath(w http.ResponseWriter, r *http.Request) {
	refuse(w, http.StatusNotFound, FormMislabelled, "Cannot "+r.Method+" "+r.URL.Path)
}
