/* The angle of a point in the half plane x >= 0. */
static double avg_angle(double y, double x)
{
    return atan2(y, x);
}
