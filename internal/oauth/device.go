package oauth

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	usualInterval   = 5 * time.Second // RFC 8628 §3.2
	longestInterval = time.Minute
	longestDevice   = time.Hour
)

// A Device is a sign-in on another device (RFC 8628): the person opens Page there and types Code.
type Device struct {
	Page  string
	Code  string
	Until time.Time // when the code is no longer good

	asked
	device   string // what the provider knows us by
	interval time.Duration
}

// Device begins a sign-in on another device.
func (c Client) Device(ctx context.Context) (*Device, error) {
	who, err := c.ask(ctx)
	if err != nil {
		return nil, err
	}
	if who.provider.Device == "" {
		return nil, usage("use --no-browser: the page can be opened on another machine",
			"%s has no codes to sign in on another device with, or not for mail", who.provider.Title)
	}
	d := &Device{asked: who}
	return d, d.begin(ctx)
}

// begin gets what the person needs.
func (d *Device) begin(ctx context.Context) error {
	form := d.client.form("")
	form.Set("scope", d.client.scope(d.provider))
	began := time.Now()
	a, err := post(ctx, d.via, d.provider.Device, form)
	if err != nil {
		return d.explain(err)
	}
	d.Page, d.Code, d.device = cmp.Or(a.Page, a.PageToo), a.UserCode, a.DeviceCode
	if d.Page == "" || d.Code == "" || d.device == "" || len(d.Code) > 64 || len(d.Page) > 200 {
		return d.explain(oddAnswer("without what a person needs to sign in"))
	}
	if err := secure(d.Page, "the page that the provider names"); err != nil {
		return err
	}
	d.Until = began.Add(min(cmp.Or(a.Expires.duration(), Patience), longestDevice))
	d.interval = min(cmp.Or(a.Interval.duration(), usualInterval), longestInterval)
	return nil
}

// Wait asks the provider from time to time until the person has signed in, and returns a Source of tokens.
func (d *Device) Wait(ctx context.Context) (*Source, error) {
	form := d.client.form("urn:ietf:params:oauth:grant-type:device_code")
	form.Set("device_code", d.device)
	for {
		if err := d.pause(ctx); err != nil {
			return nil, err
		}
		a, err := post(ctx, d.via, d.provider.Token, form)
		if err == nil {
			return d.redeem(a)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := d.slower(d.explain(err)); err != nil {
			return nil, err
		}
	}
}

// pause waits for the next time to ask.
func (d *Device) pause(ctx context.Context) error {
	if time.Now().Add(d.interval).After(d.Until) {
		return d.explain(refusal{code: "expired_token"})
	}
	timer := time.NewTimer(d.interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// slower returns nil if err is to be met by asking again, and sees to it that this is not too soon (RFC 8628 §3.5).
func (d *Device) slower(err error) error {
	var no refusal
	var e *mail.Error
	switch {
	case errors.As(err, &no) && no.code == "authorization_pending":
		return nil
	case errors.As(err, &no) && no.code == "slow_down":
		d.interval += usualInterval
		return nil
	case errors.As(err, &e) && e.Cause == mail.CauseNetwork:
		d.interval = max(min(2*d.interval, longestInterval), d.interval)
		return nil
	}
	return err
}
