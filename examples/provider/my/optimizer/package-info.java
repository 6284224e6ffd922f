/** An optimizer of the user's own. */
package my.optimizer;
