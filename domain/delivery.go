package domain

import "time"

// SendResult says how a try to tell a webhook of an event ended. It is all that is kept of an answer.
type SendResult string

// The results of a try.
const (
	SentOK          SendResult = "ok"              // the answer has a status from 200 to 299
	SentRedirect    SendResult = "status_3xx"      // redirects are not followed
	SentRefused     SendResult = "status_4xx"      // the receiver refused the event
	SentFailed      SendResult = "status_5xx"      // the receiver failed, or answered with a strange status
	SentGone        SendResult = "gone"            // the status is 410: the receiver is gone for good
	SendTimeout     SendResult = "timeout"         // there was no answer in time
	SendNoHost      SendResult = "unknown_host"    // the name of the host does not resolve
	SendPrivate     SendResult = "private_address" // the host has only addresses that are not allowed
	SendTLS         SendResult = "tls"             // the certificate is not valid, or the receiver speaks no TLS
	SendUnreachable SendResult = "unreachable"     // there was no connection, or it was lost
	SendUnsigned    SendResult = "secret_lost"     // the signing secret can't be decrypted; the webhook has to be set again
)

// SendResults lists every SendResult.
func SendResults() []SendResult {
	return []SendResult{
		SentOK, SentRedirect, SentRefused, SentFailed, SentGone, SendTimeout, SendNoHost, SendPrivate, SendTLS, SendUnreachable, SendUnsigned,
	}
}

// SendResultOf returns the result for an answer with the HTTP status.
func SendResultOf(status int) SendResult {
	const gone = 410
	switch {
	case status >= 200 && status < 300:
		return SentOK
	case status >= 300 && status < 400:
		return SentRedirect
	case status == gone:
		return SentGone
	case status >= 400 && status < 500:
		return SentRefused
	}
	return SentFailed
}

// DeliveryState says whether a webhook was told of an event.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting DeliveryState = "waiting"   // for its next try
	DeliveryDone    DeliveryState = "delivered" // the receiver accepted it
	DeliveryFailed  DeliveryState = "failed"    // there is no further try
)

// Delivery is an event that a webhook is to be told of.
type Delivery struct {
	Webhook WebhookID
	Event   Event
	State   DeliveryState
	Tries   int // those that have begun
	// Next is when the next try is due. While a try is under way, it is when that try counts as lost. It
	// is zero if no try will come.
	Next time.Time
	Last time.Time  // when the last try ended; zero if none has
	Is   SendResult // of the last try that ended; "" if none has
}

// NewDelivery returns the delivery of an event that has just happened.
func NewDelivery(w WebhookID, e Event) Delivery {
	return Delivery{Webhook: w, Event: e, State: DeliveryWaiting, Next: e.At}
}

const (
	// SendTimeLimit is how long a try may take.
	SendTimeLimit = 10 * time.Second
	// sendLease is how long nobody else begins a try after one has begun: its time, and the time to store
	// how it ended.
	sendLease = 2 * SendTimeLimit
)

// sendPauses are the pauses after each try but the last. With jitter they add up to less than a day.
var sendPauses = [...]time.Duration{
	5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
}

// MaxTries is how often a webhook is told of an event at most.
const MaxTries = len(sendPauses) + 1

// Due reports whether a try may begin at now.
func (d Delivery) Due(now time.Time) bool { return d.State == DeliveryWaiting && !now.Before(d.Next) }

// Begun returns d with a try that begins at now. If nothing is stored about its end, the next try is due
// after the lease.
func (d Delivery) Begun(now time.Time) Delivery {
	d.Tries++
	d.Next = Instant(now.Add(sendLease))
	return d
}

// Ended returns d after a try that ended at now. jitter is from 0 to below 1 and moves the next try, so that
// many deliveries do not come at the same instant.
func (d Delivery) Ended(is SendResult, now time.Time, jitter float64) Delivery {
	d.Last, d.Is = Instant(now), is
	switch {
	case is == SentOK:
		d.State, d.Next = DeliveryDone, time.Time{}
	case is == SentGone || d.Tries >= MaxTries:
		d.State, d.Next = DeliveryFailed, time.Time{}
	default:
		const least, spread = 0.8, 0.4
		pause := sendPauses[max(d.Tries, 1)-1]
		d.Next = Instant(now.Add(time.Duration(float64(pause) * (least + spread*jitter))))
	}
	return d
}

// Gone reports whether d has ended since the receiver is gone for good.
func (d Delivery) Gone() bool { return d.State == DeliveryFailed && d.Is == SentGone }

// Dropped returns d without the try that has begun, since the service stops. Another instance may begin
// one at once.
func (d Delivery) Dropped(now time.Time) Delivery {
	d.Tries--
	d.Next = Instant(now)
	return d
}
