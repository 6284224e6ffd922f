/** Tests of the whole; those that end in {@code IT} start the {@code ds} command as a user does. */
package it;
